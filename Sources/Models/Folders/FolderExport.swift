package import Checkpoints
package import Tensors

/// Writes a model in GGUF as a Hugging Face folder: the inverse of `GGUFExport`.
///
/// Tensors get Hugging Face's names, stacked experts are separated, and the rows of Llama's queries and keys are
/// half-split again. A matrix of plain numbers stays as it is. One in blocks becomes F16, whose 11 significant bits
/// hold the products of a block's scale and its whole numbers better than BF16's 8. Norms, biases and routers, which
/// are F32 in GGUF, are written in the type of most matrices where it holds them exactly, as it does what was in that
/// type before, and else stay F32.
package struct FolderExport {
  private let model: Model
  private let type: ElementType?
  private let tensors: [Tensor]

  private struct Tensor {
    let name: String
    let shape: [Int]
    /// The matrices that lie on top of each other in it, most often one, or share rows.
    var pieces: [Piece]
    /// How many heads of queries or keys it has, whose rows are stored interleaved; nil for all other tensors.
    let heads: Int?
    /// Whether it is a norm, a bias or a router.
    let isSmall: Bool
    /// What is added to its numbers.
    let offset: Float
  }

  /// A matrix of the model, and where it goes.
  private struct Piece {
    let source: TensorReference
    let target: TensorReference
  }

  package struct Outcome: Sendable {
    package let files: [String]
    package let byteCount: Int
  }

  /// What a matrix in blocks becomes.
  static let typeForBlocks = ElementType.float16

  /// - Parameter type: What matrices are stored in, a type of plain numbers; nil to keep theirs.
  /// - Throws: `CheckpointError` for a model that is no GGUF file, or that Hugging Face has no words for.
  package init(_ model: Model, type: ElementType?) throws(CheckpointError) {
    guard model.checkpoint.gguf != nil else {
      throw CheckpointError(
        .unsupported, file: model.checkpoint.path, "it is a Hugging Face folder already; a GGUF file can become one")
    }
    precondition(type.map { $0.configurationName != nil } ?? true, "a type that only GGUF has")
    self.model = model
    self.type = type
    let layout = try model.architecture.layout(
      model.configuration, model.checkpoint.configuration, contains: model.checkpoint.contains)
    let vectors = layout.vectors
    let routers = Set(layout.layers.flatMap { [$0.router, $0.shared?.gate].compactMap(\.self) })
    let heads =
      model.architecture.gguf?.isInterleavedInFolders == true
      ? [:] : Self.interleavedHeads(layout, model.configuration)
    let norms = layout.norms
    let offset = model.architecture.gguf?.addsOneToNorms == true ? Float(-1) : 0
    var tensors: [Tensor] = []
    var indices: [String: Int] = [:]
    var seen: Set<TensorReference> = []
    // Tied embeddings are one tensor under two references; a stack of experts is one under many.
    for (target, source) in zip(layout.all, model.layout.all) where seen.insert(target).inserted {
      if let index = indices[target.tensor] {
        tensors[index].pieces.append(Piece(source: source, target: target))
        continue
      }
      indices[target.tensor] = tensors.count
      let isVector = vectors.contains(target)
      tensors.append(
        Tensor(
          name: target.tensor, shape: target.shape.first == 1 && isVector ? [target.columns] : target.shape,
          pieces: [Piece(source: source, target: target)],
          heads: heads[target], isSmall: isVector || routers.contains(target),
          offset: norms.contains(target) ? offset : 0))
    }
    self.tensors = tensors
    _ = try description(type: .float32)
  }

  /// The heads of each tensor whose rows the GGUF file has interleaved.
  private static func interleavedHeads(
    _ layout: TensorLayout, _ configuration: TransformerConfiguration
  ) -> [TensorReference: Int] {
    var result: [TensorReference: Int] = [:]
    guard configuration.rotary.isInterleaved else { return result }
    let heads = [configuration.heads.count, configuration.heads.keyValueCount]
    for layer in layout.layers {
      guard let attention = layer.attention.heads else { continue }
      for (tensor, count) in zip([attention.query, attention.key], heads) { result[tensor] = count }
      for (bias, count) in zip(attention.projectionBiases, heads) { result[bias] = count }
    }
    return result
  }

  /// - Parameters:
  ///   - files: Further files of the folder, the tokenizer's, by name.
  ///   - shardSize: Bytes of tensors that a file may hold.
  ///   - progress: Called with the share done.
  package func write(
    to target: String, files: [(name: String, text: String)], shardSize: Int, replacesExisting: Bool,
    progress: (Double) -> Void = { _ in }
  ) throws -> Outcome {
    let folder = try MergedFolder(
      target, replacesExisting: replacesExisting, parents: model.checkpoint.gguf?.files.map(\.file.path) ?? [],
      protecting: [], tokenizerFrom: nil)
    let common = try commonType
    var types: [String: ElementType] = [:]
    for tensor in tensors { types[tensor.name] = try storedType(tensor, common: common) }
    let sources = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
    var outcome = Outcome(files: [], byteCount: 0)
    try folder.write { temporary in
      let writer = SafetensorsWriter(
        tensors.map { SafetensorsWriter.Tensor(name: $0.name, type: types[$0.name] ?? common, shape: $0.shape) },
        to: temporary, shardSize: shardSize)
      var done = 0
      for tensor in writer.tensors {
        guard let source = sources[tensor.name] else { continue }
        try append(source, as: types[tensor.name] ?? common, to: writer)
        done += tensor.byteCount
        progress(Double(done) / Double(max(1, writer.byteCount)))
      }
      try writer.finish()
      let texts = try files + description(type: common).files
      for (name, text) in texts { try AtomicFile.write(text, to: temporary + "/" + name) }
      try model.checkpoint.refuseChange()
      outcome = Outcome(files: writer.fileNames, byteCount: writer.byteCount)
    }
    return outcome
  }

  private func append(_ tensor: Tensor, as type: ElementType, to writer: SafetensorsWriter) throws {
    var start = 0
    while start < tensor.pieces.count {
      let first = tensor.pieces[start]
      let sharing = tensor.pieces[start...].prefix { $0.target.storedRows == first.target.storedRows }
      defer { for piece in sharing { model.checkpoint.release(piece.source.tensor) } }
      do {
        if first.target.part == nil {
          try writer.append(rows(tensor, first.source), as: type, of: tensor.name)
        } else {
          try writer.append(woven(sharing, type), of: tensor.name)
        }
      } catch is StoredMatrix.NotFinite {
        throw model.checkpoint.error(
          .notFinite, tensor: first.source.tensor,
          "it holds a number that \(type.rawValue) does not; give another --type")
      }
      start += sharing.count
    }
  }

  /// Rows of which matrices are parts.
  private func woven(_ pieces: ArraySlice<Piece>, _ type: ElementType) throws -> StoredMatrix {
    let target = pieces[pieces.startIndex].target
    let (rows, columns) = (target.storedRows.count, target.storedColumns)
    let empty = StoredMatrix(
      type: type, rows: rows, columns: columns,
      region: OwnedBytes(Array(repeating: 0, count: type.byteCount(of: rows * columns))))
    return empty.replacing(
      try pieces.compactMap { piece in
        guard let part = piece.target.part else { return nil }
        let rounded = StoredMatrix(rounding: DoubleMatrix(try model.stored(piece.source).decoded()), to: type)
        _ = try rounded.decoded()
        return (part, rounded)
      })
  }

  /// A tensor, or a part of it, as it is stored, its rows in Hugging Face's order and its numbers as they are there.
  private func rows(_ tensor: Tensor, _ source: TensorReference) throws(CheckpointError) -> StoredMatrix {
    if tensor.offset != 0 { return StoredMatrix(rounding: try numbers(tensor), to: .float32) }
    let stored = try model.stored(source)
    guard let heads = tensor.heads else { return stored }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(stored.region.byteCount)
    // A vector's elements are its rows.
    let rows = tensor.shape.count == 1 ? stored.columns : stored.rows
    stored.region.withBytes { HeadRows.halfSplit.append($0, heads: heads, rows: rows, to: &bytes) }
    return StoredMatrix(type: stored.type, rows: stored.rows, columns: stored.columns, region: OwnedBytes(bytes))
  }

  // MARK: Types

  private func matrixType(_ tensor: Tensor) throws(CheckpointError) -> ElementType {
    if let type { return type }
    let stored = try model.stored(tensor.pieces[0].source).type
    return stored.configurationName == nil ? Self.typeForBlocks : stored
  }

  /// The type of most numbers, which config.json names.
  private var commonType: ElementType {
    get throws(CheckpointError) {
      var counts: [ElementType: Int] = [:]
      for tensor in tensors where !tensor.isSmall {
        counts[try matrixType(tensor), default: 0] += tensor.shape.reduce(1, *)
      }
      return ElementType.allCases.max { counts[$0, default: 0] < counts[$1, default: 0] } ?? .float32
    }
  }

  private func storedType(_ tensor: Tensor, common: ElementType) throws(CheckpointError) -> ElementType {
    guard tensor.isSmall else { return try matrixType(tensor) }
    let numbers = try numbers(tensor)
    let rounded = try? StoredMatrix(rounding: numbers, to: common).decoded()
    return rounded.map { DoubleMatrix($0).elements == numbers.elements } == true ? common : .float32
  }

  /// A small tensor's numbers, as they are in Hugging Face's checkpoints.
  private func numbers(_ tensor: Tensor) throws(CheckpointError) -> DoubleMatrix {
    var elements: [Double] = []
    for piece in tensor.pieces {
      let matrix = try model.weights(piece.source)
      for row in 0..<matrix.rows { elements += matrix.row(row).map { Double($0 + tensor.offset) } }
    }
    let columns = tensor.pieces[0].source.columns
    return DoubleMatrix(rows: elements.count / max(1, columns), columns: columns, elements: elements)
  }

  private func description(type: ElementType) throws(CheckpointError) -> FolderDescription {
    try FolderDescription(model, type: type)
  }
}
