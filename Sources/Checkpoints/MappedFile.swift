internal import Dispatch
internal import Glibc
internal import Tensors

/// A file mapped into memory, read-only: its pages are read when they are touched and dropped when memory is short.
package final class MappedFile: Sendable {
  package let path: String
  package let byteCount: Int
  private nonisolated(unsafe) let base: UnsafeRawPointer?

  package init(path: String) throws(CheckpointError) {
    // Not waiting for a writer, should it be a pipe.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw CheckpointError(errno == ENOENT ? .notFound : .unreadable, file: path, systemMessage())
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw CheckpointError(.unreadable, file: path, systemMessage()) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CheckpointError(.unreadable, file: path, "not a regular file; give a file on disk")
    }
    self.path = path
    byteCount = Int(status.st_size)
    base = try Self.map(descriptor, byteCount: byteCount, path: path)
  }

  /// Bytes put aside on disk, in a file without a name that is gone with the last holder.
  package init(bytes: UnsafeRawBufferPointer, asideIn folder: String) throws(CheckpointError) {
    path = folder
    byteCount = bytes.count
    let descriptor = openNamelessFile(in: folder)
    guard descriptor >= 0 else { throw CheckpointError(.unwritable, file: path, systemMessage()) }
    defer { close(descriptor) }
    try AtomicFile.write(bytes, to: descriptor, at: 0, path: path)
    base = try Self.map(descriptor, byteCount: byteCount, path: path)
  }

  /// Nil for a file without a byte.
  private static func map(
    _ descriptor: Int32, byteCount: Int, path: String
  ) throws(CheckpointError) -> UnsafeRawPointer? {
    guard byteCount > 0 else { return nil }
    guard let mapped = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0), mapped != MAP_FAILED else {
      throw CheckpointError(.unreadable, file: path, "cannot map it into memory: \(systemMessage())")
    }
    return UnsafeRawPointer(mapped)
  }

  deinit {
    if let base { munmap(UnsafeMutableRawPointer(mutating: base), byteCount) }
  }

  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
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

  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try file.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  package func release(_ part: Range<Int>) {
    precondition(part.lowerBound >= 0 && part.upperBound <= range.count, "bytes \(part) outside the region")
    file.release(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
  }

  package func readAhead() { file.readAhead(range) }
}

/// What the last system call that failed says.
func systemMessage() -> String { String(cString: strerror(errno)) }
