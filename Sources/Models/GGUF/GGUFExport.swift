package import Checkpoints
package import Tensors

/// Writes a model as a GGUF file: the inverse of `GGUFMetadata`.
///
/// Matrices are stored in one type or as they are; norms, biases and routers in F32. Experts are stacked, and the rows
/// of Llama's queries and keys interleaved. Tensors are made one at a time. Source: llama.cpp, convert_hf_to_gguf.py.
package struct GGUFExport {
  let model: Model
  let gguf: GGUFArchitecture
  private let type: ElementType?
  private let interleavesRows: Bool

  /// A tensor of the file, and the matrices that lie on top of each other in it.
  private struct Tensor {
    let name: String
    let sources: [TensorReference]
    let shape: [Int]
    /// How many heads of queries or keys it has, whose rows are to be interleaved; nil for all other tensors.
    var heads: Int?
    /// Whether it is a norm, a bias or a router, which stay in F32.
    var isVector = false
    /// What is added to its numbers.
    var offset: Float = 0
  }

  /// - Parameter type: What matrices are stored in; nil for the types that the checkpoint stores.
  /// - Throws: `CheckpointError` for a model that llama.cpp would compute otherwise.
  package init(_ model: Model, type: ElementType?) throws(CheckpointError) {
    self.model = model
    self.type = type
    let file = model.checkpoint.configuration
    guard let gguf = model.architecture.gguf else {
      throw file.error(.unsupported, "a \"\(try file.string("model_type"))\" cannot be written as GGUF")
    }
    self.gguf = gguf
    interleavesRows = gguf.interleavesRows && !model.configuration.rotary.isInterleaved
    try refuseOtherComputation(file)
  }

  /// What GGUF has no words for, or what llama.cpp does not read.
  private func refuseOtherComputation(_ file: Configuration) throws(CheckpointError) {
    let layers = model.layout.layers
    if let mixture = model.configuration.mixture {
      let dense = layers.indices.filter { layers[$0].router == nil }
      guard dense.isEmpty || gguf.hasLeadingDenseLayers && dense == Array(0..<dense.count) else {
        throw file.error(.unsupported, "dense layers in a mixture cannot be written as GGUF")
      }
      // Only beside sigmoids a key says it, `expert_weights_norm`.
      guard mixture.normalizesWeights == gguf.normalizesWeights || gguf.gatingFunction != 1 else {
        throw file.error(.unsupported, "\"norm_topk_prob\": \(!gguf.normalizesWeights) cannot be written as GGUF")
      }
    }
    guard model.checkpoint.gguf == nil else { return }
    if gguf.normsKeysOfFullWidth, model.configuration.heads.keyWidth != model.configuration.hiddenSize {
      throw file.error(
        .unsupported, "fewer \"num_key_value_heads\" than heads cannot be written as GGUF for this architecture")
    }
    if let scale = gguf.attentionScale?(model.configuration),
      let own = model.configuration.multipliers.attention, abs(own / scale - 1) > 1e-6
    {
      throw file.error(.unsupported, "\"query_pre_attn_scalar\" cannot be written as GGUF: llama.cpp takes another")
    }
    if let interval = gguf.unrotatedInterval,
      layers.indices.contains(where: { layers[$0].isRotated == (($0 + 1) % interval == 0) })
    {
      throw file.error(.unsupported, "\"no_rope_layers\" other than every \(interval)th cannot be written as GGUF")
    }
    if !gguf.hasOutputBias, layers.contains(where: { $0.attention.heads?.outputBias != nil }) {
      throw file.error(.unsupported, "\"attention_bias\" cannot be written as GGUF for this architecture")
    }
    if let activation = gguf.activation, activation != model.configuration.activation {
      throw file.error(
        .unsupported, "\"swiglu_alpha\" and \"swiglu_limit\" other than llama.cpp's cannot be written as GGUF")
    }
    if let base = gguf.slidingBase,
      [model.configuration.rotary, model.configuration.slidingRotary].contains(where: {
        $0.map { $0.base != base } ?? false
      })
    {
      throw file.error(
        .unsupported, "\"rope_theta\" other than \(Int(base)) cannot be written as GGUF for this architecture")
    }
    if let pattern = gguf.slidingPattern {
      guard layers.indices.allSatisfy({ (layers[$0].slidingWindow == nil) == (($0 + 1) % pattern == 0) }) else {
        throw file.error(
          .unsupported, "windows in other layers than all but every \(pattern)th cannot be written as GGUF")
      }
      return
    }
    let window = layers.compactMap(\.slidingWindow).min()
    if let window, window < (try file.size("max_position_embeddings", default: 2048)) {
      throw file.error(
        .unsupported,
        "its sliding window of \(window) tokens cannot be written as GGUF; with \"sliding_window\": null it is "
          + "converted without")
    }
  }

  /// The file to write.
  ///
  /// - Parameter paths: Files and folders that it must not be, or lie in, beside the model's own.
  /// - Throws: `CheckpointError` if a GGUF file of the model may not be written there.
  package static func file(
    _ target: String, of model: Model, replacesExisting: Bool, protecting paths: [String] = []
  ) throws(CheckpointError) -> OutputFile {
    let own = [model.checkpoint.path] + (model.checkpoint.gguf?.files.map(\.file.path) ?? [])
    return try .gguf(target, replacesExisting: replacesExisting, inputs: own + paths)
  }

  /// - Parameters:
  ///   - tokenizer: Metadata of the vocabulary; a model in GGUF has its own.
  ///   - origin: Metadata `general.…` of where the model comes from; a model in GGUF keeps its own.
  ///   - progress: Called with the bytes written and the bytes to write.
  package func write(
    to file: OutputFile, tokenizer: [GGUFFile.Member], origin: [GGUFFile.Member] = [],
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws(CheckpointError) {
    let tensors = self.tensors
    var types: [String: ElementType] = [:]
    for tensor in tensors { types[tensor.name] = try storedType(tensor) }
    let factors = rotaryFactors
    var described = tensors.map { tensor in
      GGUFWriter.Tensor(
        name: tensor.name, type: GGUFTensorType(types[tensor.name] ?? .float32), shape: tensor.shape)
    }
    if let factors {
      described.append(GGUFWriter.Tensor(name: GGUFTensor.rotaryFactors, type: .init(.float32), shape: [factors.count]))
    }
    let sources = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
    let metadata = try self.metadata(
      tokenizer, origin: origin, matrixTypes: Set(tensors.filter { !$0.isVector }.compactMap { types[$0.name] }))
    let writer = GGUFWriter(metadata: metadata, tensors: described)
    try writer.write(to: file, from: model.checkpoint, progress: progress) { tensor throws(CheckpointError) in
      guard let source = sources[tensor.name] else {
        return OwnedBytes(
          (factors ?? []).flatMap { factor in
            withUnsafeBytes(of: factor.bitPattern.littleEndian) { Array($0) }
          })
      }
      return try bytes(source, as: types[tensor.name] ?? .float32)
    }
  }

  // MARK: Tensors

  private var tensors: [Tensor] {
    let layout = model.layout
    func matrix(_ name: String, _ source: TensorReference, heads: Int? = nil) -> Tensor {
      Tensor(name: name, sources: [source], shape: [source.rows, source.columns], heads: heads)
    }
    func vector(_ name: String, _ source: TensorReference, heads: Int? = nil) -> Tensor {
      Tensor(name: name, sources: [source], shape: [source.columns], heads: heads, isVector: true)
    }
    func norm(_ name: String, _ source: TensorReference) -> Tensor {
      Tensor(
        name: name, sources: [source], shape: [source.columns], isVector: true, offset: model.configuration.normOffset)
    }
    var result = [matrix(GGUFTensor.embedding, layout.embedding), norm(GGUFTensor.finalNorm, layout.finalNorm)]
    if layout.head != layout.embedding { result.append(matrix(GGUFTensor.head, layout.head)) }
    let configuration = model.configuration
    let heads =
      interleavesRows ? [configuration.heads.count, configuration.heads.keyValueCount, nil] : [nil, nil, nil]
    for (number, layer) in layout.layers.enumerated() {
      func name(_ tensor: GGUFTensor) -> String { tensor.weight(layer: number) }
      let attention = layer.attention.heads
      if let attention {
        result += [
          matrix(name(.query), attention.query, heads: heads[0]), matrix(name(.key), attention.key, heads: heads[1]),
          matrix(name(.value), attention.value), matrix(name(.output), attention.output),
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
    func three(_ expert: TensorLayout.Expert, _ name: (GGUFTensor) -> String) -> [Tensor] {
      zip(GGUFTensor.expert, expert.all).map { tensor, source in
        Tensor(name: name(tensor), sources: [source], shape: [source.rows, source.columns])
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
        shape: [sources.count, sources[0].rows, sources[0].columns])
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

  /// F16 where rows are no whole blocks, as llama.cpp does.
  private func storedType(_ tensor: Tensor) throws(CheckpointError) -> ElementType {
    if tensor.isVector { return .float32 }
    let stored = try model.stored(tensor.sources[0]).type
    let type = type ?? stored
    return (tensor.shape.last ?? 1).isMultiple(of: type.blockSize) ? type : .float16
  }

  private func bytes(_ tensor: Tensor, as type: ElementType) throws(CheckpointError) -> any ByteRegion {
    if tensor.offset != 0 {
      let shifted = try model.weights(tensor.sources[0]).row(0).map { Double($0 + tensor.offset) }
      let matrix = DoubleMatrix(rows: 1, columns: shifted.count, elements: shifted)
      return StoredMatrix(rounding: matrix, to: type).region
    }
    if tensor.sources.count == 1, tensor.heads == nil, try model.stored(tensor.sources[0]).type == type {
      return try model.stored(tensor.sources[0]).region
    }
    var result: [UInt8] = []
    result.reserveCapacity(type.byteCount(of: tensor.shape.reduce(1, *)))
    for source in tensor.sources {
      let matrix = try converted(source, to: type)
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

  private func converted(_ source: TensorReference, to type: ElementType) throws(CheckpointError) -> StoredMatrix {
    let stored = try model.stored(source)
    guard stored.type != type else { return stored }
    stored.region.prepare()
    do {
      // Tall or wide: parts of the longer side, as StoredMatrix makes them.
      let isTall = source.rows >= source.columns
      let size = max(256, (1 << 20) / max(1, min(source.rows, source.columns)) & ~255)
      let result = try StoredMatrix(
        type: type, rows: source.rows, columns: source.columns,
        parts: Parallelism.blocks(of: max(source.rows, source.columns), size: size)
      ) { part in
        try stored.doubles(
          rows: isTall ? part : 0..<source.rows, columns: isTall ? 0..<source.columns : part)
      }
      // A number may be too large for the type.
      if type == .float16 { _ = try result.decoded() }
      return result
    } catch {
      throw model.checkpoint.error(
        .notFinite, tensor: source.tensor, "it holds a number that \(type.rawValue) does not; give another --type")
    }
  }

  /// What each pair's frequency is divided by, where that is said by a tensor.
  private var rotaryFactors: [Float]? {
    var plain = model.configuration.rotary
    switch plain.scaling {
    case .none, .linear, .yarn, .proportional: return nil
    case .divided(let factors): return factors
    case .llama3:
      let scaled = plain.frequencies.radians
      plain.scaling = .none
      return zip(plain.frequencies.radians, scaled).map { $0 / $1 }
    }
  }
}
