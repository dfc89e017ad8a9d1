internal import FoundationEssentials
internal import SystemPackage
internal import Tensors

/// Files that are either the old one or the whole new one, whatever interrupts the writing and whoever else writes there.
package enum AtomicFile {
  /// Writes to another name beside the target, syncs, renames, and syncs the folder.
  package static func write(_ bytes: some Collection<UInt8>, to path: String) throws(CheckpointError) {
    try make(path) { descriptor, partial throws(CheckpointError) in
      try write(OwnedBytes(Array(bytes)), to: descriptor, at: 0, path: partial)
    }
  }

  package static func write(_ text: String, to path: String) throws(CheckpointError) {
    try write(text.utf8, to: path)
  }

  /// Writes a file's contents to a descriptor; the path is for messages.
  typealias Body = (_ descriptor: FileDescriptor, _ path: String) throws(CheckpointError) -> Void

  /// - Parameter lock: The output's, if the caller has it already.
  static func make(_ path: String, lock: OutputLock? = nil, _ body: Body) throws(CheckpointError) {
    let held: OutputLock
    if let lock { held = lock } else { held = try OutputLock(of: path, patience: .seconds(10)) }
    defer { withExtendedLifetime(held) {} }
    let partial = try makePartial(of: path, body)
    try putInPlace(partial, as: path)
  }

  /// Makes a file under a name that nothing has yet, beside the one that it is to get; returns that name.
  static func makePartial(of path: String, _ body: Body) throws(CheckpointError) -> String {
    let partial = PartialName.new(for: path)
    try makeNew(partial, body)
    return partial
  }

  /// Gives a file the name that it is for, in place of what has that name; if that is a link, of the link.
  static func putInPlace(_ partial: String, as path: String) throws(CheckpointError) {
    do {
      try renameFile(partial, to: path)
    } catch {
      removeFile(partial)
      throw CheckpointError(.unwritable, file: path, "\(error)")
    }
    try syncFolder(parentFolder(of: path))
  }

  /// Makes a file under its own name, for a folder that is put in its place as a whole. It must not be there yet.
  static func makeNew(_ path: String, _ body: Body) throws(CheckpointError) {
    let descriptor = try openNew(path)
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

  /// Opens a file that is not there yet, neither as a file nor as a link.
  static func openNew(_ path: String) throws(CheckpointError) -> FileDescriptor {
    try CheckpointError.naming(path) {
      try FileDescriptor.open(
        path, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
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

  /// Gives a file another name in its folder, on disk when this returns.
  ///
  /// - Throws: `CheckpointError` if there is one of that name.
  package static func move(_ path: String, to other: String) throws(CheckpointError) {
    guard status(of: other) == nil else { throw CheckpointError(.exists, file: other, "exists already") }
    try CheckpointError.naming(path) { try renameFile(path, to: other) }
    try syncFolder(parentFolder(of: other))
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
