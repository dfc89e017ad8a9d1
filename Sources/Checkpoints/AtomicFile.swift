internal import FoundationEssentials
internal import Glibc
internal import Tensors

/// Files that are either the old one or the whole new one, whatever interrupts the writing.
package enum AtomicFile {
  /// Writes to a temporary name beside the target, syncs, renames, and syncs the folder.
  package static func write(_ bytes: some Collection<UInt8>, to path: String) throws(CheckpointError) {
    try make(path) { descriptor, temporary throws(CheckpointError) in
      try write(OwnedBytes(Array(bytes)), to: descriptor, at: 0, path: temporary)
    }
  }

  /// The same for a file whose contents the body writes to a descriptor; their path is the temporary one.
  static func make(
    _ path: String, _ body: (_ descriptor: Int32, _ path: String) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let temporary = path + ".partial"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw CheckpointError(.unwritable, file: temporary, systemMessage()) }
    do throws(CheckpointError) {
      try body(descriptor, temporary)
    } catch {
      close(descriptor)
      unlink(temporary)
      throw error
    }
    do throws(CheckpointError) {
      try syncAndClose(descriptor, path: temporary)
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let message = systemMessage()
      unlink(temporary)
      throw CheckpointError(.unwritable, file: path, message)
    }
    try syncFolder(parentFolder(of: path))
  }

  package static func write(_ text: String, to path: String) throws(CheckpointError) {
    try write(text.utf8, to: path)
  }

  static func write(
    _ region: any ByteRegion, to descriptor: Int32, at offset: Int, path: String
  ) throws(CheckpointError) {
    let result = region.withBytes { bytes -> Result<Void, CheckpointError> in
      do throws(CheckpointError) {
        return .success(try write(bytes, to: descriptor, at: offset, path: path))
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  /// Writes what a file holds, with some bytes replaced.
  static func copy(
    _ file: MappedFile, to descriptor: Int32, path: String, replacing patches: [(offset: Int, bytes: any ByteRegion)],
    progress: (Int) -> Void
  ) throws(CheckpointError) {
    for start in stride(from: 0, to: file.byteCount, by: 1 << 26) {
      let block = file.region(start..<min(file.byteCount, start + 1 << 26))
      try write(block, to: descriptor, at: start, path: path)
      block.release(0..<block.byteCount)
      progress(block.byteCount)
    }
    for patch in patches {
      try write(patch.bytes, to: descriptor, at: patch.offset, path: path)
      patch.bytes.release(0..<patch.bytes.byteCount)
    }
  }

  static func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int, path: String
  ) throws(CheckpointError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw CheckpointError(.unwritable, file: path, offset: offset + done, systemMessage()) }
      done += count
    }
  }

  static func syncAndClose(_ descriptor: Int32, path: String) throws(CheckpointError) {
    let synced = fsync(descriptor) == 0
    let message = systemMessage()
    guard close(descriptor) == 0, synced else { throw CheckpointError(.unwritable, file: path, message) }
  }

  static func syncFolder(_ path: String) throws(CheckpointError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CheckpointError(.unwritable, file: path, systemMessage()) }
    try syncAndClose(descriptor, path: path)
  }

  /// Makes a folder and those that it lies in, as far as they are not there.
  package static func makeFolder(_ path: String) throws(CheckpointError) {
    if mkdir(path, 0o777) == 0 { return }
    if errno == ENOENT, parentFolder(of: path) != path {
      try makeFolder(parentFolder(of: path))
      if mkdir(path, 0o777) == 0 { return }
    }
    let message = systemMessage()
    var isFolder = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder else {
      throw CheckpointError(.unwritable, file: path, message)
    }
  }

  static func parentFolder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
