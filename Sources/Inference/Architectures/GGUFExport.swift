package import Checkpoints
package import Tensors

/// Writes a model as a GGUF file: the inverse of `GGUFMetadata` and `GGUFNames`.
///
/// Matrices are stored in one type or as they are; norms, biases and routers in F32. Experts are stacked, and the rows of
/// Llama's queries and keys ordered so that neighbours make pairs. Tensors are made one at a time. Source: llama.cpp,
/// convert_hf_to_gguf.py.
package struct GGUFExport {
  private let model: Model
  private let type: ElementType?
  private let architecture: String
  private let permutesPairs: Bool

  /// A tensor of the file, and the matrices that lie on top of each other in it.
  private struct Tensor {
    let name: String
    let sources: [TensorReference]
    let shape: [Int]
    /// Of queries and keys: the heads whose rows are put in pairs.
    var heads: Int?
    var isVector = false
  }

  private static let architectures = [
    "llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2", "qwen2_moe": "qwen2moe",
    "qwen3": "qwen3", "qwen3_moe": "qwen3moe", "olmoe": "olmoe",
  ]

  /// - Parameter type: Of matrices; nil for those that the checkpoint stores.
  /// - Throws: `CheckpointError` for a model that llama.cpp would compute otherwise.
  package init(_ model: Model, type: ElementType?) throws(CheckpointError) {
    self.model = model
    self.type = type
    let file = model.checkpoint.configuration
    let modelType = try file.string("model_type")
    guard let architecture = Self.architectures[modelType] else {
      throw file.error(.unsupported, "a \"\(modelType)\" cannot be written as GGUF")
    }
    self.architecture = architecture
    permutesPairs = architecture == "llama" && !model.configuration.rotary.pairsNeighbours
    try refuseOtherComputation(file)
  }

  /// What GGUF has no words for, or what llama.cpp does not read.
  private func refuseOtherComputation(_ file: Configuration) throws(CheckpointError) {
    let layers = model.layout.layers
    if let mixture = model.configuration.mixture {
      guard layers.allSatisfy({ $0.router != nil }) else {
        throw file.error(.unsupported, "dense layers in a mixture cannot be written as GGUF")
      }
      let normalizes = ["llama", "qwen3moe"].contains(architecture)
      guard mixture.normalizesWeights == normalizes else {
        throw file.error(.unsupported, "\"norm_topk_prob\": \(!normalizes) cannot be written as GGUF")
      }
    }
    guard model.checkpoint.gguf == nil else { return }
    // llama.cpp takes the norm of all keys to be as wide as the hidden state.
    if architecture == "olmoe", model.configuration.keyValueWidth != model.configuration.hiddenSize {
      throw file.error(.unsupported, "fewer \"num_key_value_heads\" than heads cannot be written as GGUF for OLMoE")
    }
    let window = layers.compactMap(\.slidingWindow).min()
    if let window, window < (try file.size("max_position_embeddings", default: 2048)) {
      throw file.error(
        .unsupported,
        "its sliding window of \(window) tokens cannot be written as GGUF; with \"sliding_window\": null it is "
          + "converted without")
    }
    if architecture != "llama", layers.contains(where: { $0.outputBias != nil }) {
      throw file.error(.unsupported, "\"attention_bias\" cannot be written as GGUF for this architecture")
    }
  }

  /// - Throws: `CheckpointError` if a GGUF file of the model may not be written there.
  package static func refuseUnsafe(
    _ target: String, model: Model, protecting paths: [String], replacesExisting: Bool
  ) throws(CheckpointError) {
    try GGUFCopy.refuseUnsafe(
      target, sources: [model.checkpoint.folder] + (model.checkpoint.gguf?.files.map(\.file.path) ?? []),
      protecting: paths, replacesExisting: replacesExisting)
  }

  /// - Parameters:
  ///   - tokenizer: Metadata of the vocabulary; a model in GGUF has its own.
  ///   - progress: Called with the bytes written and the bytes to write.
  package func write(
    to target: String, tokenizer: [GGUFFile.Member], replacesExisting: Bool, protecting paths: [String] = [],
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws(CheckpointError) {
    try Self.refuseUnsafe(target, model: model, protecting: paths, replacesExisting: replacesExisting)
    let tensors = self.tensors
    var types: [String: ElementType] = [:]
    for tensor in tensors { types[tensor.name] = try storedType(tensor) }
    let factors = rotaryFactors
    var described = tensors.map { tensor in
      GGUFWriter.Tensor(
        name: tensor.name, type: GGUFTensorType(types[tensor.name] ?? .float32), shape: tensor.shape)
    }
    if let factors {
      described.append(GGUFWriter.Tensor(name: Self.rotaryFactors, type: .init(.float32), shape: [factors.count]))
    }
    let sources = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
    let metadata = try self.metadata(
      tokenizer, matrixTypes: Set(tensors.filter { !$0.isVector }.compactMap { types[$0.name] }))
    let writer = GGUFWriter(metadata: metadata, tensors: described)
    try writer.write(to: target, progress: progress) { tensor throws(CheckpointError) in
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

  private static let rotaryFactors = "rope_freqs.weight"

  private var tensors: [Tensor] {
    let layout = model.layout
    func matrix(_ name: String, _ source: TensorReference, heads: Int? = nil) -> Tensor {
      Tensor(name: name, sources: [source], shape: [source.rows, source.columns], heads: heads)
    }
    func vector(_ name: String, _ source: TensorReference, heads: Int? = nil) -> Tensor {
      Tensor(name: name, sources: [source], shape: [source.columns], heads: heads, isVector: true)
    }
    var result = [matrix("token_embd.weight", layout.embedding), vector("output_norm.weight", layout.finalNorm)]
    if layout.head != layout.embedding { result.append(matrix("output.weight", layout.head)) }
    let configuration = model.configuration
    let heads: (query: Int?, key: Int?) =
      permutesPairs ? (configuration.headCount, configuration.keyValueHeadCount) : (nil, nil)
    for (number, layer) in layout.layers.enumerated() {
      let block = "blk.\(number)."
      result += [
        vector(block + "attn_norm.weight", layer.attentionNorm),
        matrix(block + "attn_q.weight", layer.query, heads: heads.query),
        matrix(block + "attn_k.weight", layer.key, heads: heads.key), matrix(block + "attn_v.weight", layer.value),
        matrix(block + "attn_output.weight", layer.output), vector(block + "ffn_norm.weight", layer.feedForwardNorm),
      ]
      for (index, bias) in layer.projectionBiases.enumerated() {
        result.append(
          vector(
            block + "attn_\(["q", "k", "v"][index]).bias", bias, heads: [heads.query, heads.key, nil][index]))
      }
      if let bias = layer.outputBias { result.append(vector(block + "attn_output.bias", bias)) }
      if let norm = layer.queryNorm { result.append(vector(block + "attn_q_norm.weight", norm)) }
      if let norm = layer.keyNorm { result.append(vector(block + "attn_k_norm.weight", norm)) }
      result += feedForward(layer, block, matrix)
      if let shared = layer.shared { result.append(vector(block + "ffn_gate_inp_shexp.weight", shared.gate)) }
    }
    return result
  }

  private func feedForward(
    _ layer: TensorLayout.Layer, _ block: String, _ matrix: (String, TensorReference, Int?) -> Tensor
  ) -> [Tensor] {
    func three(_ expert: TensorLayout.Expert, _ suffix: String) -> [Tensor] {
      zip(["gate", "up", "down"], expert.all).map { matrix("\(block)ffn_\($0)\(suffix).weight", $1, nil) }
    }
    guard let router = layer.router else { return three(layer.experts[0], "") }
    var routing = matrix(block + "ffn_gate_inp.weight", router, nil)
    routing.isVector = true
    let stacks = zip(["gate", "up", "down"], layer.experts[0].all.indices).map { name, index in
      let sources = layer.experts.map { $0.all[index] }
      return Tensor(
        name: "\(block)ffn_\(name)_exps.weight", sources: sources,
        shape: [sources.count, sources[0].rows, sources[0].columns])
    }
    return [routing] + stacks + (layer.shared.map { three($0.expert, "_shexp") } ?? [])
  }

  /// F16 where rows are no whole blocks, as llama.cpp does.
  private func storedType(_ tensor: Tensor) throws(CheckpointError) -> ElementType {
    if tensor.isVector { return .float32 }
    let stored = try model.stored(tensor.sources[0]).type
    let type = type ?? stored
    return (tensor.shape.last ?? 1).isMultiple(of: type.blockSize) ? type : .float16
  }

  private func bytes(_ tensor: Tensor, as type: ElementType) throws(CheckpointError) -> any ByteRegion {
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
          HeadRows.neighbours.append(bytes, heads: heads, rows: rows, to: &result)
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
    case .none, .linear, .yarn: return nil
    case .divided(let factors): return factors
    case .llama3:
      let scaled = plain.frequencies.radians
      plain.scaling = .none
      return zip(plain.frequencies.radians, scaled).map { $0 / $1 }
    }
  }

  // MARK: Metadata

  private func metadata(
    _ tokenizer: [GGUFFile.Member], matrixTypes: Set<ElementType>
  ) throws(CheckpointError) -> [GGUFFile.Member] {
    let fileType = matrixTypes.count == 1 ? matrixTypes.first.flatMap { Self.fileTypes[$0] } : nil
    let fileTypeMember = fileType.map { GGUFFile.Member(key: "general.file_type", value: .uint32($0)) }
    if let parts = model.checkpoint.gguf {
      let kept = parts.metadata.filter {
        !$0.key.hasPrefix("split.") && $0.key != "general.alignment"
          && (fileType == nil || $0.key != "general.file_type")
      }
      return kept + (fileTypeMember.map { [$0] } ?? [])
    }
    return try general + (fileTypeMember.map { [$0] } ?? []) + hyperparameters() + tokenizer
  }

  /// llama.cpp, llama.h (`enum llama_ftype`).
  private static let fileTypes: [ElementType: UInt32] = [.float32: 0, .float16: 1, .q80: 7, .bfloat16: 32]

  private var general: [GGUFFile.Member] {
    let name = model.checkpoint.folder.split(separator: "/").last.map(String.init) ?? "model"
    return [
      .init(key: "general.architecture", value: .string(architecture)),
      .init(key: "general.type", value: .string("model")), .init(key: "general.name", value: .string(name)),
      .init(key: "general.quantization_version", value: .uint32(2)),
    ]
  }

  private func hyperparameters() throws(CheckpointError) -> [GGUFFile.Member] {
    let (configuration, file) = (model.configuration, model.checkpoint.configuration)
    var members: [GGUFFile.Member] = []
    func set(_ key: String, _ value: GGUFValue) { members.append(.init(key: "\(architecture).\(key)", value: value)) }
    func set(_ key: String, _ value: Int) { set(key, .uint32(UInt32(clamping: value))) }
    set("block_count", configuration.layerCount)
    set("context_length", try file.size("max_position_embeddings", default: 2048))
    set("embedding_length", configuration.hiddenSize)
    set("vocab_size", configuration.vocabularySize)
    set("feed_forward_length", configuration.intermediateSize)
    set("attention.head_count", configuration.headCount)
    set("attention.head_count_kv", configuration.keyValueHeadCount)
    set("attention.key_length", configuration.headDimension)
    set("attention.value_length", configuration.headDimension)
    set("attention.layer_norm_rms_epsilon", .float32(configuration.normEpsilon))
    set("rope.dimension_count", configuration.rotary.dimension)
    set("rope.freq_base", .float32(Float(configuration.rotary.base)))
    if let mixture = configuration.mixture {
      set("expert_count", mixture.expertCount)
      set("expert_used_count", mixture.expertsPerToken)
      if architecture.hasPrefix("qwen") { set("expert_feed_forward_length", mixture.intermediateSize) }
      if let shared = mixture.sharedIntermediateSize { set("expert_shared_feed_forward_length", shared) }
    }
    switch configuration.rotary.scaling {
    case .none, .llama3, .divided: break
    case .linear(let factor):
      set("rope.scaling.type", .string("linear"))
      set("rope.scaling.factor", .float32(Float(factor)))
    case .yarn(let factor, _, _, _):
      set("rope.scaling.type", .string("yarn"))
      set("rope.scaling.factor", .float32(Float(factor)))
      set("rope.scaling.original_context_length", try yarnPositions(file))
    }
    return members
  }

  /// YaRN's options beyond a factor and the positions have no keys that our reader and llama.cpp share.
  private func yarnPositions(_ file: Configuration) throws(CheckpointError) -> Int {
    let key = file["rope_scaling"] == nil ? "rope_parameters" : "rope_scaling"
    let parameters = Configuration(file: file.file, json: file[key] ?? .object([]))
    let known = ["rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings", "finetuned"]
    if let unknownKey = parameters.json.members?.first(where: { !$0.value.isNull && !known.contains($0.key) }) {
      throw file.error(.unsupported, "\"\(unknownKey.key)\" (\(key)) cannot be written as GGUF")
    }
    for place in [parameters, file] where place["original_max_position_embeddings"] != nil {
      return try place.size("original_max_position_embeddings")
    }
    return try file.size("max_position_embeddings")
  }
}
