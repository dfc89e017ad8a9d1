internal import CFiles
internal import Dispatch
internal import Glibc
internal import SystemPackage
internal import Tensors

/// A file mapped into memory, read-only: its pages are read when they are touched and dropped when memory is short.
///
/// What somebody else does to the file meanwhile shows in its pages. So a file remembers what it was when it was opened
/// (`refuseChange`), and a page that is there no more ends the program with a line that says so (`explainFaults`).
package final class MappedFile: Sendable {
  package let path: String
  package let byteCount: Int
  private nonisolated(unsafe) let base: UnsafeRawPointer?
  /// Nil for a file without a name, which nobody else can change.
  private let identity: FileIdentity?
  /// For the handler of faults.
  private nonisolated(unsafe) let note: OpaquePointer?

  package init(path: String) throws(CheckpointError) {
    // Not waiting for a writer, should it be a pipe.
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
    } catch {
      let isMissing = error as? Errno == .noSuchFileOrDirectory
      throw CheckpointError(isMissing ? .notFound : .unreadable, file: path, "\(error)")
    }
    defer { try? descriptor.close() }
    let status = try CheckpointError.naming(path, as: .unreadable) { try Stat(descriptor) }
    guard status.type == .regular else {
      throw CheckpointError(.unreadable, file: path, "not a regular file; give a file on disk")
    }
    PrivateOutputs.follow(status)
    self.path = path
    byteCount = Int(status.size)
    identity = FileIdentity(status)
    base = try Self.map(descriptor, byteCount: byteCount, path: path)
    note = base.flatMap { [byteCount] in files_mapping_add($0, byteCount, path) }
  }

  /// Bytes moved to disk, to a file without a name that is gone with its last holder.
  package init(spilling bytes: UnsafeRawBufferPointer, to folder: String) throws(CheckpointError) {
    path = folder
    byteCount = bytes.count
    let descriptor = try CheckpointError.naming(folder) { try openNamelessFile(in: folder) }
    defer { try? descriptor.close() }
    try AtomicFile.write(bytes, to: descriptor, at: 0, path: path)
    identity = nil
    base = try Self.map(descriptor, byteCount: byteCount, path: path)
    note = base.flatMap { [byteCount] in files_mapping_add($0, byteCount, folder) }
  }

  /// Nil for a file without a byte.
  private static func map(
    _ descriptor: FileDescriptor, byteCount: Int, path: String
  ) throws(CheckpointError) -> UnsafeRawPointer? {
    guard byteCount > 0 else { return nil }
    guard let mapped = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor.rawValue, 0), mapped != MAP_FAILED else {
      throw CheckpointError(.unreadable, file: path, "cannot map it into memory: \(Errno(rawValue: errno))")
    }
    return UnsafeRawPointer(mapped)
  }

  deinit {
    if isChanged { InputChanges.note(path) }
    files_mapping_remove(note)
    if let base { munmap(UnsafeMutableRawPointer(mutating: base), byteCount) }
  }

  /// - Throws: `CheckpointError` for what stands in for a large file where Git LFS has not fetched it.
  package func refuseGitLFSPointer() throws(CheckpointError) {
    guard withBytes({ $0.starts(with: "version https://git-lfs.github.com/spec/".utf8) }) else { return }
    throw CheckpointError(.notACheckpoint, file: path, "it is a Git LFS pointer, not the file; run 'git lfs pull'")
  }

  /// Whether the path leads to another file by now, or to one that was written to.
  private var isChanged: Bool { identity.map { FileIdentity(path: path) != $0 } ?? false }

  /// To be asked before what was made of the file is called finished.
  ///
  /// - Throws: `CheckpointError` if the file is not what it was when it was opened.
  package func refuseChange() throws(CheckpointError) {
    if isChanged { throw InputChanges.error(path) }
  }

  /// From now on, a page that can no longer be read ends the program with status 1 and one line that names the file,
  /// where it would be killed (SIGBUS) without a word.
  package static func explainFaults() { files_explain_faults() }

  package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: base, count: byteCount))
  }

  /// Gives back the memory of a part's pages; they are read again when they are touched.
  package func release(_ range: Range<Int>) {
    guard let base, !range.isEmpty else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = range.lowerBound / page * page
    madvise(UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start, MADV_DONTNEED)
  }

  /// Asks for a part to be read into the system's cache; returns at once.
  package func readAhead(_ range: Range<Int>) {
    guard base != nil, !range.isEmpty else { return }
    Self.readers.async {
      guard let base = self.base else { return }
      // The kernel reads no more than its window for one request, however much is asked for.
      let first = range.lowerBound / Self.readWindow * Self.readWindow
      for start in stride(from: first, to: range.upperBound, by: Self.readWindow) {
        madvise(
          UnsafeMutableRawPointer(mutating: base + start), min(Self.readWindow, self.byteCount - start), MADV_WILLNEED)
      }
    }
  }

  private static let readers = DispatchQueue(label: "read ahead")
  private static let readWindow = 1 << 17

  /// A part of the file, which keeps the file mapped.
  package func region(_ range: Range<Int>) -> MappedRegion {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "bytes \(range) outside \(path)")
    return MappedRegion(file: self, range: range)
  }
}

package struct MappedRegion: ByteRegion {
  let file: MappedFile
  let range: Range<Int>

  package var byteCount: Int { range.count }

  package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try file.withBytes { bytes throws(E) in try body(UnsafeRawBufferPointer(rebasing: bytes[range])) }
  }

  package func release(_ part: Range<Int>) {
    precondition(part.lowerBound >= 0 && part.upperBound <= range.count, "bytes \(part) outside the region")
    file.release(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
  }

  package func readAhead() { file.readAhead(range) }
}
