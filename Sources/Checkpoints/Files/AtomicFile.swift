internal import FoundationEssentials
internal import SystemPackage
internal import Tensors

/// Files that are either the old one or the whole new one, whatever interrupts the writing.
package enum AtomicFile {
  /// Writes to a temporary name beside the target, syncs, renames, and syncs the folder.
  package static func write(_ bytes: some Collection<UInt8>, to path: String) throws(CheckpointError) {
    try make(path) { descriptor, temporary throws(CheckpointError) in
      try write(OwnedBytes(Array(bytes)), to: descriptor, at: 0, path: temporary)
    }
  }

  package static func write(_ text: String, to path: String) throws(CheckpointError) {
    try write(text.utf8, to: path)
  }

  /// Makes a file whose contents the body writes to a descriptor; their path is the temporary one.
  static func make(
    _ path: String, _ body: (_ descriptor: FileDescriptor, _ path: String) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let temporary = path + ".partial"
    try writeNew(temporary, options: .truncate, body)
    do {
      try renameFile(temporary, to: path)
    } catch {
      removeFile(temporary)
      throw CheckpointError(.unwritable, file: path, "\(error)")
    }
    try syncFolder(parentFolder(of: path))
  }

  /// Makes a file under its own name, for a folder that is put in its place as a whole. It must not be there yet.
  static func makeInPlace(
    _ path: String, _ body: (_ descriptor: FileDescriptor, _ path: String) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try writeNew(path, options: .exclusiveCreate, body)
  }

  /// Opens a new file, has it written, and syncs it. It is removed again when that fails.
  private static func writeNew(
    _ path: String, options: FileDescriptor.OpenOptions,
    _ body: (_ descriptor: FileDescriptor, _ path: String) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let descriptor = try open(path, options: options)
    do throws(CheckpointError) {
      try body(descriptor, path)
    } catch {
      try? descriptor.close()
      removeFile(path)
      throw error
    }
    do throws(CheckpointError) {
      try syncAndClose(descriptor, path: path)
    } catch {
      removeFile(path)
      throw error
    }
  }

  /// - Parameter options: What becomes of a file that is there: it is emptied, or refused.
  static func open(
    _ path: String, options: FileDescriptor.OpenOptions
  ) throws(CheckpointError) -> FileDescriptor {
    try CheckpointError.naming(path) {
      try FileDescriptor.open(
        path, .writeOnly, options: [.create, .closeOnExec, options],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    }
  }

  // MARK: Bytes

  static func write(
    _ region: any ByteRegion, to descriptor: FileDescriptor, at offset: Int, path: String
  ) throws(CheckpointError) {
    try region.withBytes { bytes throws(CheckpointError) in
      try write(bytes, to: descriptor, at: offset, path: path)
    }
  }

  static func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: FileDescriptor, at offset: Int, path: String
  ) throws(CheckpointError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      done += try CheckpointError.naming(path, offset: offset + done) {
        let count = try descriptor.write(toAbsoluteOffset: Int64(offset + done), rest)
        guard count > 0 else { throw Errno.noSpace }
        return count
      }
    }
  }

  /// Writes what a file holds, with some bytes replaced.
  static func copy(
    _ file: MappedFile, to descriptor: FileDescriptor, path: String,
    replacing patches: [(offset: Int, bytes: any ByteRegion)], progress: (Int) -> Void
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

  // MARK: The disk

  static func syncAndClose(_ descriptor: FileDescriptor, path: String) throws(CheckpointError) {
    try CheckpointError.naming(path) { try descriptor.closeAfter { try descriptor.sync() } }
  }

  static func syncFolder(_ path: String) throws(CheckpointError) {
    let descriptor = try CheckpointError.naming(path) {
      try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
    }
    try syncAndClose(descriptor, path: path)
  }

  /// Makes a folder and those that it lies in, as far as they are not there.
  package static func makeFolder(_ path: String) throws(CheckpointError) {
    do throws(Errno) {
      try makeSingleFolder(path)
    } catch {
      if error == .noSuchFileOrDirectory, parentFolder(of: path) != path {
        try makeFolder(parentFolder(of: path))
        if (try? makeSingleFolder(path)) != nil { return }
      }
      guard isFolder(path) else { throw CheckpointError(.unwritable, file: path, "\(error)") }
    }
  }
}
