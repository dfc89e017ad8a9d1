internal import FoundationEssentials
internal import Glibc
internal import SystemPackage
internal import Tensors

/// A lock file as it is now.
struct FoundLock {
  let path: String
  /// Nil for an empty file, as it is between its making and its first byte.
  let holder: FolderLockHolder?
  /// When it was made or renewed, by the file system's clock, in seconds since 1970.
  let renewed: Double

  var number: String { holder?.number ?? "empty" }
  var isOfThisMachine: Bool { holder?.isOfThisMachine ?? false }

  /// Seconds without a renewal after which the process is taken for gone, where the process table cannot say. Ten
  /// renewals, and no more than Slurm waits for a node before its jobs start elsewhere (SlurmdTimeout).
  static let patience = 300.0

  private static let largestSize = 4096

  /// Nil if there is no file.
  ///
  /// - Throws: `CheckpointError` for what is no lock file, which stays as it is.
  init?(_ path: String) throws(CheckpointError) {
    var found = try Self.read(path)
    // A file that another process is about to fill.
    for _ in 0..<20 where found.map(\.bytes.isEmpty) == true {
      usleep(10_000)
      found = try Self.read(path)
    }
    guard let found else { return nil }
    (self.path, renewed) = (path, found.renewed)
    if found.bytes.isEmpty {
      holder = nil
    } else if let holder = try? JSONDecoder().decode(FolderLockHolder.self, from: Data(found.bytes)),
      holder.number.count == 16, holder.number.allSatisfy(\.isHexDigit)
    {
      self.holder = holder
    } else {
      throw CheckpointError(
        .exists, file: path,
        "damaged, or not laser's; remove it if no other laser is at work in the folder, or use another folder")
    }
  }

  private static func read(_ path: String) throws(CheckpointError) -> (bytes: [UInt8], renewed: Double)? {
    guard let named = status(of: path) else { return nil }
    guard named.type != .symbolicLink else { throw CheckpointError.link(path) }
    return try CheckpointError.naming(path, as: .unreadable) {
      let descriptor: FileDescriptor
      do {
        descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow, .nonBlocking])
      } catch Errno.noSuchFileOrDirectory { return nil }
      return try descriptor.closeAfter {
        let stat = try Stat(descriptor)
        guard stat.type == .regular else {
          throw CheckpointError(.exists, file: path, "not a regular file; use another folder")
        }
        var bytes = [UInt8](repeating: 0, count: largestSize)
        let count = try bytes.withUnsafeMutableBytes { try descriptor.read(fromAbsoluteOffset: 0, into: $0) }
        return (Array(bytes.prefix(count)), stat.modified)
      }
    }
  }

  /// - Parameter now: The time by the clock that the file's own times are of; asked for only where they decide.
  func isAtWork<Failure>(now: () throws(Failure) -> Double) throws(Failure) -> Bool {
    if let isAlive = holder?.isAlive { return isAlive }
    // A time ahead of the clock was written before the clock was set back: a process at work would have renewed it.
    return abs(try now() - renewed) < Self.patience
  }

  /// - Throws: `CheckpointError` if its process is at work in the folder.
  func refuseAtWork(folder: String) throws(CheckpointError) {
    let isAtWork = try isAtWork { () throws(CheckpointError) in try fileSystemTime(beside: path) }
    guard isAtWork else { return }
    guard let holder else {
      throw CheckpointError(
        .exists, file: folder, "another process begins there now, or was killed as it began; try again in \(Self.wait)")
    }
    let advice = holder.isAlive == true ? "" : " (if it is gone, try again in \(Self.wait))"
    throw CheckpointError(
      .exists, file: folder,
      "\(holder.name), is at work there since \(holder.since); wait for it, or use another folder\(advice)")
  }

  private static var wait: String { "\(Int(Self.patience / 60)) minutes" }

  /// What is told where a process on another machine is taken for gone.
  func takeover(of folder: String) -> String {
    let who = holder?.name ?? "a process that was killed as it began"
    return "takes over \(folder) from \(who): no sign of life for \(Self.wait) or more"
  }
}

/// The time by the clock of the file system that a path lies on, which may be another machine's: a file's that is made
/// there now. Seconds since 1970.
private func fileSystemTime(beside path: String) throws(CheckpointError) -> Double {
  let probe = PartialName.new(for: path)
  defer { removeFile(probe) }
  var time = 0.0
  try AtomicFile.makeNew(probe) { descriptor, path throws(CheckpointError) in
    // Some set the time at the first byte only.
    try AtomicFile.write(OwnedBytes([UInt8(ascii: "\n")]), to: descriptor, at: 0, path: path)
    time = try CheckpointError.naming(path) { try Stat(descriptor).modified }
  }
  return time
}
