internal import Checkpoints
internal import Tensors

/// Says the metadata of a GGUF file in the words of Hugging Face's config.json, so that an architecture reads one
/// configuration whatever the format.
///
/// Keys of the architecture that are not known here are refused by name: they may change what the model computes.
struct GGUFMetadata {
  private(set) var architecture: any Architecture.Type
  private let checkpoint: Checkpoint
  private let parts: GGUFParts
  private var gguf: GGUFArchitecture

  /// - Throws: `CheckpointError` for an architecture that is not read from GGUF, or a key that is not known.
  init(_ checkpoint: Checkpoint, _ parts: GGUFParts) throws(CheckpointError) {
    self.checkpoint = checkpoint
    self.parts = parts
    guard let name = parts["general.architecture"]?.string else {
      throw CheckpointError(
        .malformed, file: checkpoint.path, "\"general.architecture\" is missing or not a text")
    }
    let all = ArchitectureRegistry.all.compactMap { type in type.gguf.map { (type, $0) } }
    let candidates = all.filter { $0.1.name == name }
    guard let first = candidates.first else {
      let known = Set(all.map(\.1.name)).sorted().joined(separator: ", ")
      throw CheckpointError(
        .unsupported, file: checkpoint.path,
        "the architecture \"\(name)\" is not supported in GGUF; supported are \(known)")
    }
    (architecture, gguf) = first
    let hasExperts = try integer("expert_count") ?? 0 > 0
    let fitting = candidates.filter { $0.1.isMixture == hasExperts }
    // OLMo 2 and 3 have one name.
    let slides = parts["\(name).attention.sliding_window"]?.integer ?? 0 > 0
    if let (type, form) = fitting.first(where: { ($0.1.slidingPattern != nil) == slides }) ?? fitting.first {
      (architecture, gguf) = (type, form)
    }
    try refuseUnknownKeys()
  }

  func configuration() throws(CheckpointError) -> Configuration {
    let experts = try integer("expert_count") ?? 0
    var members = ConfigurationMembers()
    func set(_ key: String, _ value: JSON?) { if let value { members.set(key, value) } }
    set("model_type", .string(architecture.modelType))
    set("hidden_size", try integer("embedding_length").map(JSON.integer))
    set("num_hidden_layers", try layerCount().map(JSON.integer))
    set("vocab_size", .integer(try vocabularySize()))
    set("max_position_embeddings", try integer("context_length").map(JSON.integer))
    let (heads, keyValueHeads) = (try integer("attention.head_count"), try integer("attention.head_count_kv"))
    set("num_attention_heads", heads.map(JSON.integer))
    set("num_key_value_heads", (keyValueHeads ?? heads).map(JSON.integer))
    set("head_dim", try headDimension().map(JSON.integer))
    set("rms_norm_eps", try number("attention.layer_norm_rms_epsilon").map(JSON.number))
    let base = try number("rope.freq_base") ?? 10_000
    if let slidingBase = gguf.slidingBase, base != slidingBase {
      throw error(.unsupported, "\"\(gguf.name).rope.freq_base\" other than \(Int(slidingBase)) is not supported")
    }
    set("rope_theta", .number(base))
    set("rope_scaling", try rotaryScaling())
    set("tie_word_embeddings", .boolean(!checkpoint.contains(GGUFTensor.head)))
    members.set(gguf.biasMembers(checkpoint.contains(GGUFTensor.query.bias(layer: 0))))

    if gguf.rotatesPart, let rotated = try integer("rope.dimension_count"), let dimension = try headDimension() {
      set("partial_rotary_factor", .number(Double(rotated) / Double(max(1, dimension))))
    }
    if let member = gguf.queryKeyNormMember {
      set(member, .boolean(checkpoint.contains(GGUFTensor.queryNorm.weight(layer: 0))))
    }
    for parameter in gguf.parameters {
      set(
        parameter.member,
        parameter.isWhole ? try integer(parameter.key).map(JSON.integer) : try number(parameter.key).map(JSON.number))
    }

    let feedForward = try integer("feed_forward_length")
    let expertFeedForward = try integer("expert_feed_forward_length")
    set("intermediate_size", (feedForward ?? expertFeedForward).map(JSON.integer))
    if experts > 0 {
      set("num_experts", .integer(experts))
      guard let used = try integer("expert_used_count") else {
        throw error(.malformed, "\"\(gguf.name).expert_used_count\" is missing")
      }
      set("num_experts_per_tok", .integer(used))
      set("moe_intermediate_size", expertFeedForward.map(JSON.integer))
      let shared = try integer("expert_shared_feed_forward_length") ?? feedForward
      set("shared_expert_intermediate_size", shared.map(JSON.integer))
      // Layers without a router are dense.
      let layers = 0..<min(max(0, try integer("block_count") ?? 0), 10_000)
      let dense = layers.filter { !checkpoint.contains(GGUFTensor.router.weight(layer: $0)) }
      set("mlp_only_layers", .array(dense.map(JSON.integer)))
      set("norm_topk_prob", .boolean(try boolean("expert_weights_norm") ?? gguf.normalizesWeights))
    }
    return Configuration(file: checkpoint.path, json: members.json)
  }

  /// Without those that predict further tokens, which stand behind the others and are not run.
  private func layerCount() throws(CheckpointError) -> Int? {
    guard let count = try integer("block_count") else { return nil }
    let further = try integer("nextn_predict_layers") ?? 0
    guard (0...100).contains(further) else {
      throw error(.malformed, "\"\(gguf.name).nextn_predict_layers\" is \(further)")
    }
    return count > further ? count - further : count
  }

  // MARK: Values

  private func error(_ code: CheckpointError.Code, _ problem: String) -> CheckpointError {
    CheckpointError(code, file: checkpoint.path, problem)
  }

  private func value(_ key: String) -> GGUFValue? { parts["\(gguf.name).\(key)"] }

  private func integer(_ key: String) throws(CheckpointError) -> Int? {
    try read(key, "a whole number; other values in each layer are not supported") { value in
      if let number = value.integer { return number }
      guard let numbers = value.integers, let first = numbers.first else { return nil }
      // Some programs say of each layer what is the same in all.
      return numbers.allSatisfy { $0 == first } ? first : nil
    }
  }

  private func number(_ key: String) throws(CheckpointError) -> Double? { try read(key, "a number") { $0.number } }

  private func boolean(_ key: String) throws(CheckpointError) -> Bool? { try read(key, "a boolean") { $0.boolean } }

  private func read<Result>(
    _ key: String, _ kind: String, _ convert: (GGUFValue) -> Result?
  ) throws(CheckpointError) -> Result? {
    guard let value = value(key) else { return nil }
    guard let result = convert(value) else { throw error(.malformed, "\"\(gguf.name).\(key)\" is not \(kind)") }
    return result
  }

  /// The embedding's rows: the key is often left out.
  private func vocabularySize() throws(CheckpointError) -> Int {
    guard let (_, embedding) = parts.tensor(GGUFTensor.embedding), embedding.shape.count == 2 else {
      throw error(.missingTensor, "the tensor \(GGUFTensor.embedding) is missing or no matrix")
    }
    if let size = try integer("vocab_size"), size != embedding.shape[0] {
      throw error(
        .malformed, "\"\(gguf.name).vocab_size\" is \(size) but \(GGUFTensor.embedding) has \(embedding.shape[0]) rows")
    }
    return embedding.shape[0]
  }

  private func headDimension() throws(CheckpointError) -> Int? {
    let lengths = [try integer("attention.key_length"), try integer("attention.value_length")].compactMap(\.self)
    guard Set(lengths).count <= 1 else { throw error(.unsupported, "keys and values of different length") }
    let rotated = try integer("rope.dimension_count")
    if let embedding = try integer("embedding_length"), let heads = try integer("attention.head_count"), heads > 0 {
      let dimension = lengths.first ?? embedding / heads
      guard rotated == nil || rotated == dimension || gguf.rotatesPart else {
        throw error(
          .unsupported, "\"\(gguf.name).rope.dimension_count\" is not that of a head, \(dimension)")
      }
    }
    return lengths.first
  }

  private func rotaryScaling() throws(CheckpointError) -> JSON? {
    let kind = try read("rope.scaling.type", "a text") { $0.string } ?? "none"
    let (scaling, linear) = (try number("rope.scaling.factor"), try number("rope.scale_linear"))
    let factor = scaling ?? linear
    switch kind {
    case "none", "linear":
      guard let factor, factor != 1 else { return nil }
      return .object([
        JSON.Member(key: "rope_type", value: .string("linear")), JSON.Member(key: "factor", value: .number(factor)),
      ])
    case "yarn":
      guard let factor else { throw error(.malformed, "\"\(gguf.name).rope.scaling.factor\" is missing") }
      let positions = try integer("rope.scaling.original_context_length").map(JSON.integer)
      return .object(
        [JSON.Member(key: "rope_type", value: .string("yarn")), JSON.Member(key: "factor", value: .number(factor))]
          + (positions.map { [JSON.Member(key: "original_max_position_embeddings", value: $0)] } ?? [])
          + (gguf.truncatesYarn ? [] : [JSON.Member(key: "truncate", value: .boolean(false))]))
    default: throw error(.unsupported, "rotary scaling \"\(kind)\" is not supported")
    }
  }

  // MARK: What is refused

  private static let readKeys: Set<String> = [
    "embedding_length", "block_count", "vocab_size", "context_length", "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length", "attention.value_length", "attention.layer_norm_rms_epsilon", "rope.freq_base",
    "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length",
    "rope.scaling.finetuned", "rope.scale_linear", "feed_forward_length", "expert_feed_forward_length",
    "expert_shared_feed_forward_length", "expert_count", "expert_used_count", "expert_weights_norm",
  ]

  /// Keys with the only value at which they change nothing.
  private static let harmlessValues: [String: Double] = [
    "expert_weights_scale": 1, "expert_shared_count": 1, "attention.sliding_window": 0,
    "attention.clamp_kqv": 0, "leading_dense_block_count": 0, "expert_group_count": 1, "expert_group_used_count": 1,
    "nextn_predict_layers": 0,
  ]

  /// Factors with the value that llama.cpp takes where they are left out; 0 is something else.
  private static let defaultFactors: [String: Double] = [
    "rope.scaling.attn_factor": 1, "rope.scaling.yarn_ext_factor": 1, "rope.scaling.yarn_attn_factor": 1,
    "rope.scaling.yarn_beta_fast": 32, "rope.scaling.yarn_beta_slow": 1,
  ]

  private static let harmlessFlags = ["use_parallel_residual": false, "attention.causal": true]

  private func refuseUnknownKeys() throws(CheckpointError) {
    for member in parts.metadata where member.key.hasPrefix(gguf.name + ".") {
      let key = String(member.key.dropFirst(gguf.name.count + 1))
      if Self.readKeys.contains(key) || gguf.parameters.contains(where: { $0.key == key }) { continue }
      if key == "nextn_predict_layers", gguf.hasFurtherLayers { continue }
      if key == "attention.sliding_window_pattern", let pattern = gguf.slidingPattern,
        isPattern(member.value, everyBut: pattern)
      {
        continue
      }
      if key == "expert_gating_func", [0, gguf.gatingFunction].contains(member.value.integer) { continue }
      // How the tensors of the first files of Llama had been laid out before they were converted.
      if key == "tensor_data_layout" { continue }
      if let harmless = Self.harmlessValues[key], member.value.number == harmless || member.value.number == 0 {
        continue
      }
      if let factor = Self.defaultFactors[key], member.value.number == factor { continue }
      if let harmless = Self.harmlessFlags[key], member.value.boolean == harmless { continue }
      let value = member.value.number.map { "\($0)" } ?? member.value.boolean.map { "\($0)" }
      throw error(.unsupported, "\"\(member.key)\"\(value.map { " at \($0)" } ?? "") is not supported")
    }
  }

  /// Whether a value says that all layers have a window but every so many.
  private func isPattern(_ value: GGUFValue, everyBut pattern: Int) -> Bool {
    if let period = value.integer { return period == pattern }
    guard let slides = value.booleans else { return false }
    return slides.enumerated().allSatisfy { (($0 + 1) % pattern != 0) == $1 }
  }

  // MARK: What is read

  /// - Parameter file: What `configuration` returns.
  func understood(
    _ file: Configuration
  ) throws(CheckpointError) -> (configuration: TransformerConfiguration, layout: TensorLayout) {
    var configuration = try architecture.configuration(file)
    configuration.rotary = try rotary(configuration.rotary)
    if gguf.addsOneToNorms { configuration.normOffset = 0 }
    if let scale = gguf.attentionScale { configuration.multipliers.attention = scale(configuration) }
    let layout = try architecture.layout(configuration, file, contains: checkpoint.contains)
      .inGGUF(gguf, contains: checkpoint.contains)
    try refuseUnused(layout)
    return (configuration, layout)
  }

  /// What the file says of rotation beyond its metadata: the order of pairs, and factors of frequencies (Llama 3.1's).
  private func rotary(_ rotary: RotaryConfiguration) throws(CheckpointError) -> RotaryConfiguration {
    let factorsName = GGUFTensor.rotaryFactors
    var result = rotary
    result.isInterleaved = gguf.interleavesRows
    guard checkpoint.contains(factorsName) else { return result }
    guard case .none = rotary.scaling else {
      throw error(.unsupported, "rotary scaling by metadata and by \(factorsName) at once is not supported")
    }
    let stored = try checkpoint.matrix(TensorReference(name: factorsName, rows: 1, columns: rotary.dimension / 2))
    let factors = (try? stored.decoded())?.row(0) ?? []
    guard !factors.isEmpty, factors.allSatisfy({ $0 > 0 }) else {
      throw checkpoint.error(.malformed, tensor: factorsName, "it holds a number that is not positive")
    }
    result.scaling = .divided(factors)
    return result
  }

  /// Tensors that no layer has and that change what is computed: none may be left over.
  private func refuseUnused(_ layout: TensorLayout) throws(CheckpointError) {
    let used = Set(layout.all.map(\.tensor) + [GGUFTensor.rotaryFactors])
    let layers = layout.layers.count
    let unrun = (layers..<layers + max(0, try integer("nextn_predict_layers") ?? 0)).map(GGUFTensor.prefix)
    guard
      let unknownTensor = checkpoint.tensorNames.first(where: { name in
        !used.contains(name) && !unrun.contains { name.hasPrefix($0) }
      })
    else { return }
    throw checkpoint.error(
      .unsupported, tensor: unknownTensor, "the architecture \"\(gguf.name)\" is not computed with such a tensor")
  }
}
