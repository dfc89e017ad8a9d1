internal import FoundationEssentials
internal import Glibc

/// Files that are either the old one or the whole new one, whatever interrupts the writing.
package enum AtomicFile {
  /// Writes to a temporary name beside the target, syncs, renames, and syncs the folder.
  package static func write(_ bytes: some Collection<UInt8>, to path: String) throws(CheckpointError) {
    let temporary = path + ".partial"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw CheckpointError(.unwritable, file: temporary, systemMessage()) }
    do throws(CheckpointError) {
      var problem: CheckpointError?
      Array(bytes).withUnsafeBytes { buffer in
        do throws(CheckpointError) {
          try write(buffer, to: descriptor, at: 0, path: temporary)
        } catch {
          problem = error
        }
      }
      if let problem { throw problem }
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

  static func parentFolder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
