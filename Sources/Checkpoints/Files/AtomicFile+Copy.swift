internal import SystemPackage
package import Tensors

extension AtomicFile {
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
}
