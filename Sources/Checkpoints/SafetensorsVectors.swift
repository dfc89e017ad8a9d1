internal import Tensors

/// A small safetensors file of float32 vectors, in memory as a whole.
package enum SafetensorsVectors {
  /// The bytes of the file, its vectors in the order of their names.
  package static func bytes(_ vectors: [String: [Float]]) -> [UInt8] {
    let sorted = vectors.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    let header = SafetensorsWriter.header(
      sorted.map { SafetensorsWriter.Tensor(name: $0.key, type: .float32, shape: [$0.value.count]) }[...])
    return sorted.reduce(into: header) { bytes, vector in
      for number in vector.value {
        withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
      }
    }
  }

  /// - Throws: `CheckpointError` for a file that is none, or holds anything but float32 vectors.
  package static func read(_ path: String) throws(CheckpointError) -> [String: [Float]] {
    let file = try SafetensorsFile(path: path)
    var vectors: [String: [Float]] = [:]
    for entry in file.entries {
      guard entry.type == ElementType.float32.rawValue, entry.shape.count == 1 else {
        throw CheckpointError(.unsupported, file: path, tensor: entry.name, "it is no vector of float32 numbers")
      }
      vectors[entry.name] = file.file.withBytes { bytes in
        (0..<entry.shape[0]).map { index in
          Float(
            bitPattern: UInt32(
              littleEndian: bytes.loadUnaligned(fromByteOffset: entry.bytes.lowerBound + 4 * index, as: UInt32.self)))
        }
      }
    }
    return vectors
  }
}
