internal import Checkpoints
internal import Tensors

/// The tensors of the file, and what they are stored in.
extension GGUFExport {
  /// A tensor of the file, and the matrices that lie on top of each other in it.
  struct Tensor {
    let name: String
    let sources: [TensorReference]
    let shape: [Int]
    var purpose = TypeMixture.Purpose.other
    /// How many heads of queries or keys it has, whose rows are to be interleaved; nil for all other tensors.
    var heads: Int?
    /// Whether it is a norm, a bias or a router, which stay in F32.
    var isVector = false
    /// What is added to its numbers.
    var offset: Float = 0
  }

  var tensors: [Tensor] {
    let layout = model.layout
    func matrix(
      _ name: String, _ source: TensorReference, _ purpose: TypeMixture.Purpose = .other, heads: Int? = nil
    ) -> Tensor {
      Tensor(
        name: name, sources: [source], shape: [source.rows, source.columns], purpose: purpose, heads: heads)
    }
    func vector(_ name: String, _ source: TensorReference, heads: Int? = nil) -> Tensor {
      Tensor(name: name, sources: [source], shape: [source.columns], heads: heads, isVector: true)
    }
    func norm(_ name: String, _ source: TensorReference) -> Tensor {
      Tensor(
        name: name, sources: [source], shape: [source.columns], isVector: true, offset: model.configuration.normOffset)
    }
    var result = [
      matrix(GGUFTensor.embedding, layout.embedding, .embedding), norm(GGUFTensor.finalNorm, layout.finalNorm),
    ]
    if layout.head != layout.embedding { result.append(matrix(GGUFTensor.head, layout.head, .head)) }
    let configuration = model.configuration
    let heads =
      interleavesRows ? [configuration.heads.count, configuration.heads.keyValueCount, nil] : [nil, nil, nil]
    for (number, layer) in layout.layers.enumerated() {
      func name(_ tensor: GGUFTensor) -> String { tensor.weight(layer: number) }
      let attention = layer.attention.heads
      if let attention {
        result += [
          matrix(name(.query), attention.query, heads: heads[0]),
          matrix(name(.key), attention.key, .key, heads: heads[1]),
          matrix(name(.value), attention.value, .value(layer: number)),
          matrix(name(.output), attention.output, .output),
        ]
        for (index, bias) in attention.projectionBiases.enumerated() {
          result.append(vector(GGUFTensor.projections[index].bias(layer: number), bias, heads: heads[index]))
        }
        if let bias = attention.outputBias { result.append(vector(GGUFTensor.output.bias(layer: number), bias)) }
        if let sinks = attention.sinks { result.append(vector(name(.sinks), sinks)) }
      }
      let norms: [(GGUFTensor, TensorReference?)] = [
        (.attentionNorm, layer.attentionNorm), (.attentionOutputNorm, layer.attentionOutputNorm),
        (.queryNorm, attention?.queryNorm), (.keyNorm, attention?.keyNorm),
        (gguf.feedForwardNorm, layer.feedForwardNorm),
        (.feedForwardOutputNorm, layer.feedForwardOutputNorm),
      ]
      result += norms.compactMap { tensor, reference in reference.map { norm(name(tensor), $0) } }
      if let bias = layer.routerBias { result.append(vector(GGUFTensor.router.bias(layer: number), bias)) }
      if let bias = layer.selectionBias { result.append(vector(GGUFTensor.selectionBias.bias(layer: number), bias)) }
      result += feedForward(layer, number)
      if let gate = layer.shared?.gate { result.append(vector(name(.sharedGate), gate)) }
    }
    return result
  }

  private func feedForward(_ layer: TensorLayout.Layer, _ number: Int) -> [Tensor] {
    func purpose(_ tensor: GGUFTensor) -> TypeMixture.Purpose { tensor == .down ? .down(layer: number) : .other }
    func three(_ expert: TensorLayout.Expert, _ name: (GGUFTensor) -> String) -> [Tensor] {
      zip(GGUFTensor.expert, expert.all).map { tensor, source in
        Tensor(
          name: name(tensor), sources: [source], shape: [source.rows, source.columns], purpose: purpose(tensor))
      }
    }
    guard let router = layer.router else { return three(layer.experts[0]) { $0.weight(layer: number) } }
    let routing = Tensor(
      name: GGUFTensor.router.weight(layer: number), sources: [router], shape: [router.rows, router.columns],
      isVector: true)
    let stacks = GGUFTensor.expert.enumerated().map { index, tensor in
      let sources = layer.experts.map { $0.all[index] }
      return Tensor(
        name: tensor.stacked(layer: number), sources: sources,
        shape: [sources.count, sources[0].rows, sources[0].columns], purpose: purpose(tensor))
    }
    let biases = GGUFTensor.expert.enumerated().compactMap { index, tensor -> Tensor? in
      let sources = layer.experts.compactMap { $0.biases.isEmpty ? nil : $0.biases[index] }
      guard let first = sources.first else { return nil }
      return Tensor(
        name: tensor.stackedBias(layer: number), sources: sources, shape: [sources.count, first.columns], isVector: true
      )
    }
    return [routing] + stacks + biases + (layer.shared.map { three($0.expert) { $0.shared(layer: number) } } ?? [])
  }

  // MARK: Types

  /// By the tensor's name.
  func types(of tensors: [Tensor]) throws(CheckpointError) -> [String: ElementType] {
    let configuration = model.configuration
    let shape = TypeMixture.Shape(
      architecture: gguf.name, layerCount: configuration.layerCount,
      expertCount: configuration.mixture?.expertCount ?? 0, headCount: configuration.heads.count,
      keyValueHeadCount: configuration.heads.keyValueCount,
      tiesEmbeddings: model.layout.head == model.layout.embedding)
    let mixture = fileType.map { TypeMixture($0, of: shape, hasImportance: importance != nil) }
    var result: [String: ElementType] = [:]
    for tensor in tensors { result[tensor.name] = try type(of: tensor, mixture) }
    return result
  }

  private func type(of tensor: Tensor, _ mixture: TypeMixture?) throws(CheckpointError) -> ElementType {
    if tensor.isVector { return .float32 }
    let columns = tensor.shape.last ?? 1
    if let mixture {
      return mixture.type(for: tensor.purpose, columns: columns, isStack: tensor.shape.count == 3)
    }
    var stored: [ElementType] = []
    for source in tensor.sources { stored.append(try model.stored(source).type) }
    // Of several, one that all can be written in.
    let type = Set(stored).count == 1 ? stored[0] : stored.first { !$0.isReadOnly } ?? .float16
    return columns.isMultiple(of: type.blockSize) ? type : .float16
  }

  // MARK: Importance

  /// Matrices that are quantised without importance although the rest has it: the embedding and the head, and those that
  /// the file does not have.
  package var tensorsWithoutImportance: [String] {
    guard let importance, fileType.map({ $0.plainType == nil }) == true else { return [] }
    return tensors.filter { tensor in
      !tensor.isVector && !tensor.isOfVocabulary && importance.entries[tensor.name] == nil
    }.map(\.name)
  }

  /// How much each column of a tensor's matrices matters, matrix by matrix; nil where that is not known.
  ///
  /// - Throws: `CheckpointError` for an importance matrix of another model, and where one is needed.
  func importance(of tensor: Tensor, as type: ElementType) throws(CheckpointError) -> [[Float]]? {
    let needed = fileType == .q2KSmall && type == .q2K && !tensor.isOfVocabulary
    guard let entry = importance?.entries[tensor.name] else {
      guard !needed else {
        throw model.checkpoint.error(
          .unsupported, tensor: tensor.name, "q2_k_s needs an importance matrix that has it; give another '--imatrix'")
      }
      return nil
    }
    let columns = tensor.shape.last ?? 1
    guard entry.sums.count == tensor.sources.count * columns else {
      if tensor.isOfVocabulary { return nil }
      throw model.checkpoint.error(
        .wrongShape, tensor: tensor.name,
        "the importance matrix has \(entry.sums.count) numbers for it, not \(tensor.sources.count) × \(columns); it is "
          + "another model's")
    }
    return tensor.sources.indices.map { entry.importance(of: $0, columns: columns) }
  }

  // MARK: Bytes

  func bytes(_ tensor: Tensor, as type: ElementType) throws(CheckpointError) -> any ByteRegion {
    if tensor.offset != 0 {
      let shifted = try model.weights(tensor.sources[0]).row(0).map { Double($0 + tensor.offset) }
      let matrix = DoubleMatrix(rows: 1, columns: shifted.count, elements: shifted)
      return StoredMatrix(rounding: matrix, to: type).region
    }
    if tensor.sources.count == 1, tensor.heads == nil, try model.stored(tensor.sources[0]).type == type {
      return try model.stored(tensor.sources[0]).region
    }
    let importance = try importance(of: tensor, as: type)
    var result: [UInt8] = []
    result.reserveCapacity(type.byteCount(of: tensor.shape.reduce(1, *)))
    for (index, source) in tensor.sources.enumerated() {
      let matrix = try converted(source, to: type, importance: importance?[index])
      // A vector's elements are its rows.
      let rows = tensor.shape.count == 1 ? source.columns : source.rows
      matrix.region.withBytes { bytes in
        if let heads = tensor.heads {
          HeadRows.interleaved.append(bytes, heads: heads, rows: rows, to: &result)
        } else {
          result.append(contentsOf: bytes)
        }
      }
      model.checkpoint.release(source.tensor)
    }
    return OwnedBytes(result)
  }

  private func converted(
    _ source: TensorReference, to type: ElementType, importance: [Float]?
  ) throws(CheckpointError) -> StoredMatrix {
    let stored = try model.stored(source)
    guard stored.type != type else { return stored }
    do {
      let result = try stored.converted(to: type, importance: importance)
      // A number may be too large for the type.
      if type == .float16 { _ = try result.decoded() }
      return result
    } catch {
      throw model.checkpoint.error(
        .notFinite, tensor: source.tensor, "it holds a number that \(type.rawValue) does not; give another --type")
    }
  }
}

extension GGUFExport.Tensor {
  /// Whether it is the embedding or the head, whose importance is not measured.
  fileprivate var isOfVocabulary: Bool {
    switch purpose {
    case .embedding, .head: true
    default: false
    }
  }
}
