package import Tensors

/// One GGUF file, version 2 or 3: a header, metadata, descriptions of tensors, and the tensors' bytes, each at a
/// multiple of an alignment.
///
/// Everything the file says is checked before any of it is used: counts against the bytes that are there, lengths,
/// shapes that multiply without overflow, tensors that neither overlap nor reach outside. What is allocated is in
/// proportion to the file's own header. Source: github.com/ggml-org/ggml, docs/gguf.md.
package struct GGUFFile: Sendable {
  package struct Tensor: Sendable {
    package let name: String
    package let type: GGUFTensorType
    /// Outermost dimension first, as everywhere here; the file has it the other way round.
    package let shape: [Int]
    /// Counted from the beginning of the file.
    package let bytes: Range<Int>
  }

  package struct Member: Sendable {
    package let key: String
    package let value: GGUFValue

    package init(key: String, value: GGUFValue) {
      self.key = key
      self.value = value
    }
  }

  package let file: MappedFile
  package let version: UInt32
  package let metadata: [Member]
  package let tensors: [Tensor]
  package let alignment: Int
  /// How many bytes come before those of the tensors: header, metadata and descriptions.
  let headerByteCount: Int
  /// Of keys in the metadata.
  let places: [String: Int]

  package static let maximumKeyLength = 65_535
  package static let maximumNameLength = 256
  package static let maximumDimensions = 4
  package static let maximumArrayDepth = 4
  package static let defaultAlignment = 32
  package static let maximumAlignment = 1 << 20

  package subscript(key: String) -> GGUFValue? { places[key].map { metadata[$0].value } }

  /// Some rows of a tensor, all dimensions but the last taken together.
  package func matrix(_ tensor: Tensor, rows: Range<Int>? = nil) throws(CheckpointError) -> StoredMatrix {
    let bytes = try self.bytes(of: tensor, rows: rows)
    guard let type = tensor.type.elementType else {
      let types = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw error(.unsupported, tensor, "its type \(tensor.type.name) cannot be computed with; only \(types) can")
    }
    return StoredMatrix(
      type: type, rows: rows?.count ?? tensor.rowCount, columns: tensor.columnCount, region: file.region(bytes))
  }

  /// Where some rows of a tensor lie in the file.
  func bytes(of tensor: Tensor, rows: Range<Int>?) throws(CheckpointError) -> Range<Int> {
    guard let rows else { return tensor.bytes }
    guard rows.lowerBound >= 0, rows.upperBound <= tensor.rowCount else {
      throw error(.wrongShape, tensor, "it has no rows \(rows), only \(tensor.rowCount)")
    }
    let rowBytes = tensor.columnCount / tensor.type.blockSize * tensor.type.blockByteCount
    let start = tensor.bytes.lowerBound + rows.lowerBound * rowBytes
    return start..<start + rows.count * rowBytes
  }

  package func error(_ code: CheckpointError.Code, _ tensor: Tensor, _ problem: String) -> CheckpointError {
    CheckpointError(code, file: file.path, tensor: tensor.name, offset: tensor.bytes.lowerBound, problem)
  }
}

extension GGUFFile.Tensor {
  package var columnCount: Int { shape.last ?? 1 }
  package var rowCount: Int { shape.dropLast().reduce(1, *) }
}

/// The next multiple of an alignment, a power of two.
func aligned(_ position: Int, to alignment: Int) -> Int { (position + alignment - 1) & ~(alignment - 1) }
