internal import SystemPackage
package import Tensors

/// Writes a GGUF file, little-endian: metadata and descriptions first, then one tensor after another, each at a
/// multiple of the alignment. A file read and written again with nothing changed has the same bytes.
package struct GGUFWriter {
  package struct Tensor: Sendable {
    package let name: String
    package let type: GGUFTensorType
    /// Outermost dimension first.
    package let shape: [Int]

    /// - Precondition: Rows are whole blocks of the type.
    package init(name: String, type: GGUFTensorType, shape: [Int]) {
      precondition(type.byteCount(shape: shape) != nil, "the shape \(shape) does not fit \(type.name)")
      self.name = name
      self.type = type
      self.shape = shape
    }

    package var byteCount: Int { type.byteCount(shape: shape) ?? 0 }
  }

  private let tensors: [Tensor]
  private let offsets: [Int]
  private let header: [UInt8]
  private let alignment: Int

  /// The bytes of the file.
  package let byteCount: Int

  /// - Parameter metadata: Written in its order. An alignment other than 32 is among it as "general.alignment".
  package init(metadata: [GGUFFile.Member], tensors: [Tensor], version: UInt32 = 3) {
    let alignment =
      metadata.first { $0.key == "general.alignment" }?.value.integer ?? GGUFFile.defaultAlignment
    precondition(
      (1...GGUFFile.maximumAlignment).contains(alignment) && alignment & (alignment - 1) == 0,
      "the alignment is not a power of two")
    var header = Array("GGUF".utf8) + littleEndianBytes(version)
    header += littleEndianBytes(UInt64(tensors.count)) + littleEndianBytes(UInt64(metadata.count))
    for member in metadata {
      header += encodedText(member.key) + littleEndianBytes(member.value.type.rawValue)
      member.value.encoded.withBytes { header += $0 }
    }
    var offset = 0
    var offsets: [Int] = []
    for tensor in tensors {
      header += encodedText(tensor.name) + littleEndianBytes(UInt32(tensor.shape.count))
      for dimension in tensor.shape.reversed() { header += littleEndianBytes(UInt64(dimension)) }
      header += littleEndianBytes(tensor.type.number) + littleEndianBytes(UInt64(offset))
      offsets.append(offset)
      offset += aligned(tensor.byteCount, to: alignment)
    }
    header += Array(repeating: 0, count: aligned(header.count, to: alignment) - header.count)
    self.tensors = tensors
    self.offsets = offsets
    self.header = header
    self.alignment = alignment
    byteCount = header.count + offset
  }

  /// Makes the file under another name, syncs it, and renames it when it is whole.
  ///
  /// - Parameters:
  ///   - contents: The bytes of a tensor, asked for in order, one at a time.
  ///   - progress: Called with the bytes written and the bytes to write.
  package func write(
    to path: String, progress: (Int, Int) -> Void = { _, _ in },
    contents: (Tensor) throws(CheckpointError) -> any ByteRegion
  ) throws(CheckpointError) {
    try AtomicFile.make(path) { descriptor, partial throws(CheckpointError) in
      try write(to: descriptor, path: partial, progress: progress, contents: contents)
    }
  }

  /// - Parameter source: What the tensors are made of, which must be the same to the end; nil for what is in memory.
  package func write(
    to file: OutputFile, from source: Checkpoint? = nil, progress: (Int, Int) -> Void = { _, _ in },
    contents: (Tensor) throws(CheckpointError) -> any ByteRegion
  ) throws(CheckpointError) {
    try file.make { descriptor, partial throws(CheckpointError) in
      try write(to: descriptor, path: partial, progress: progress, contents: contents)
      try source?.refuseChange()
    }
  }

  func write(
    to descriptor: FileDescriptor, path: String, progress: (Int, Int) -> Void,
    contents: (Tensor) throws(CheckpointError) -> any ByteRegion
  ) throws(CheckpointError) {
    try AtomicFile.write(OwnedBytes(header), to: descriptor, at: 0, path: path)
    var position = header.count
    progress(position, byteCount)
    for (tensor, offset) in zip(tensors, offsets) {
      let region = try contents(tensor)
      precondition(region.byteCount == tensor.byteCount, "the bytes of \(tensor.name) do not fit its shape")
      position = header.count + offset
      try AtomicFile.write(region, to: descriptor, at: position, path: path)
      position += region.byteCount
      let padding = OwnedBytes(Array(repeating: 0, count: -position & (alignment - 1)))
      try AtomicFile.write(padding, to: descriptor, at: position, path: path)
      position += padding.byteCount
      progress(position, byteCount)
    }
  }
}
