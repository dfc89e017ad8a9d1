internal import Dispatch
internal import FoundationEssentials
internal import Glibc
internal import Synchronization
internal import SystemPackage
internal import Tensors

/// Says to every process on every host that sees a folder that one is at work in it.
///
/// The file `.lock` in the folder names the process (`FolderLockHolder`). It is made with `O_EXCL`, which holds on
/// network file systems too, where `flock` may not reach other hosts. Its modification time is renewed while the
/// process works. On the process's own machine the process table says whether it is still there; elsewhere a lock that
/// was not renewed for `patience` is one whose process is gone.
package final class FolderLock: Sendable {
  private let folder: String
  private let path: String
  private let holder: FolderLockHolder
  private let state: Mutex<State>

  private struct State {
    var isHeld = false
    /// Why another process has the folder now; nil while this one has it.
    var loss: String?
    var lastRenewal = ContinuousClock.now
  }

  /// Seconds between two renewals.
  static let interval = 30
  /// Seconds without a renewal after which a process elsewhere is taken for gone.
  package static var patience: Double { FoundLock.patience }

  private static let renewals = DispatchQueue(label: "lock renewals")

  /// - Parameters:
  ///   - folder: It must be there.
  ///   - note: Told, in words, where the lock of a process on another machine is taken over.
  /// - Throws: `CheckpointError` if another process is at work there, or `.lock` is not a file that this type wrote.
  package init(_ folder: String, note: (String) throws -> Void) throws {
    self.folder = folder
    path = Self.path(in: folder)
    holder = FolderLockHolder.current()
    state = Mutex(State())
    let silent = try Self.acquire(path, for: holder, folder: folder)
    state.withLock { $0.isHeld = true }
    PartialName.removeRemains(of: path)
    Self.remember(path)
    renewLater()
    if let silent, !silent.isOfThisMachine {
      do { try note(silent.takeover(of: folder)) } catch {
        release()
        throw error
      }
    }
  }

  deinit { release() }

  /// Who is at work in a folder, as far as this machine's process table and clock say; nil if nobody is. Nothing is
  /// written, and a file that is no lock counts for nothing.
  package static func holder(in folder: String) -> FolderLockHolder? {
    guard let found = try? FoundLock(path(in: folder)), found.isAtWork(now: { Date.now.timeIntervalSince1970 }) else {
      return nil
    }
    return found.holder
  }

  private static func path(in folder: String) -> String { folder + "/.lock" }

  /// Gives the folder free for others.
  package func release() {
    state.withLock { state in
      guard state.isHeld else { return }
      state.isHeld = false
      Self.forget()
      if (try? FoundLock(path))?.holder == holder { removeFile(path) }
    }
  }

  // MARK: Taking

  /// Makes the lock file, or takes over one whose process is gone; returns the latter.
  ///
  /// Two that find the same abandoned lock must not both replace it: the slower one would replace the lock of the
  /// faster. So whoever replaces a lock first has a lock on that very lock, `.lock.` and its number, got in this same
  /// way, and then looks whether the lock is still the one it judged. Nobody else replaces it from then on, and
  /// `rename` puts the new one in its place without a moment in which there is none.
  private static func acquire(
    _ path: String, for holder: FolderLockHolder, folder: String
  ) throws(CheckpointError) -> FoundLock? {
    for _ in 0..<100 {
      if try create(path, for: holder) { return nil }
      guard let found = try FoundLock(path) else { continue }
      try found.refuseAtWork(folder: folder)
      let claim = "\(path).\(found.number)"
      _ = try acquire(claim, for: holder, folder: folder)
      defer { removeFile(claim) }
      guard let same = try FoundLock(path), same.holder == found.holder else { continue }
      // It may have been renewed meanwhile: a process that was suspended for long.
      try same.refuseAtWork(folder: folder)
      let partial = try AtomicFile.makePartial(of: path) { descriptor, partial throws(CheckpointError) in
        try AtomicFile.write(OwnedBytes(holder.bytes), to: descriptor, at: 0, path: partial)
      }
      try AtomicFile.putInPlace(partial, as: path)
      return found
    }
    throw CheckpointError(.exists, file: path, "other processes take it all the time; try again")
  }

  /// False where there is one already.
  private static func create(_ path: String, for holder: FolderLockHolder) throws(CheckpointError) -> Bool {
    let descriptor = try CheckpointError.naming(path) {
      do {
        return try FileDescriptor.open(
          path, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
          permissions: [.ownerReadWrite, .groupRead, .otherRead]) as FileDescriptor?
      } catch Errno.fileExists { return nil }
    }
    guard let descriptor else { return false }
    do throws(CheckpointError) {
      try AtomicFile.write(OwnedBytes(holder.bytes), to: descriptor, at: 0, path: path)
    } catch {
      try? descriptor.close()
      removeFile(path)
      throw error
    }
    try AtomicFile.syncAndClose(descriptor, path: path)
    // Between its making and its first byte a lock says nothing of its process, and is taken over if that takes long.
    return try FoundLock(path)?.holder == holder
  }

  // MARK: Holding

  private func renewLater() {
    Self.renewals.asyncAfter(deadline: .now() + .seconds(Self.interval)) { [weak self] in
      guard let self, renew() else { return }
      renewLater()
    }
  }

  /// Renews the modification time, by the file system's own clock; returns whether the lock is still this process's.
  package func renew() -> Bool {
    state.withLock { state in
      guard state.isHeld else { return false }
      let found: FoundLock?
      // A file system that does not answer now may do so the next time.
      do throws(CheckpointError) { found = try FoundLock(path) } catch {
        if error.code == .unreadable { return true }
        found = nil
      }
      guard let found, found.holder == holder else {
        state.isHeld = false
        Self.forget()
        state.loss = found?.holder.map(\.name) ?? "a process that has ended"
        return false
      }
      touchFile(path)
      state.lastRenewal = .now
      return true
    }
  }

  /// - Throws: `CheckpointError` where this process gave no sign of life for so long, being suspended, that another one
  ///   took the folder over.
  package func refuseLoss() throws(CheckpointError) {
    if state.withLock({ .now - $0.lastRenewal > .seconds(2 * Self.interval) }) { _ = renew() }
    guard let loss = state.withLock({ $0.loss }) else { return }
    throw CheckpointError(
      .exists, file: folder, "\(loss), took it over while this process was suspended or cut off; see what that one does"
    )
  }

  /// Has each call say first that the folder is still this process's.
  package func guarding<Event>(_ body: @escaping (Event) throws -> Void) -> (Event) throws -> Void {
    { [self] event in
      try refuseLoss()
      try body(event)
    }
  }

  // MARK: A signal

  /// Where in memory the name of the lock file stands that a signal's handler is to remove; 0 where there is none. It
  /// is never freed: a handler may be about to read it. A program has one lock at a time.
  private static let held = Atomic<UInt>(0)

  private static func remember(_ path: String) {
    held.store(UInt(bitPattern: strdup(path)), ordering: .sequentiallyConsistent)
  }

  private static func forget() { held.store(0, ordering: .sequentiallyConsistent) }

  /// Removes the lock file of this program by one system call, for a signal's handler that then ends the program.
  package static func removeAtOnce() {
    if let path = UnsafePointer<CChar>(bitPattern: held.load(ordering: .sequentiallyConsistent)) { unlink(path) }
  }
}
