internal import Checkpoints
internal import Tensors

/// config.json and generation_config.json of a model in GGUF.
struct FolderDescription {
  /// By name.
  let files: [(name: String, text: String)]

  private static let classes = [
    "llama": "LlamaForCausalLM", "mixtral": "MixtralForCausalLM", "qwen2": "Qwen2ForCausalLM",
    "qwen2_moe": "Qwen2MoeForCausalLM", "qwen3": "Qwen3ForCausalLM", "qwen3_moe": "Qwen3MoeForCausalLM",
    "olmoe": "OlmoeForCausalLM",
  ]

  /// - Throws: `CheckpointError` for a rotation that Hugging Face has no words for.
  init(_ model: Model, type: ElementType) throws(CheckpointError) {
    let tokens = SpecialTokens(model.checkpoint.gguf)
    let members = try Self.configuration(model) + tokens.members
    let dtype = JSON.Member(key: "torch_dtype", value: type.configurationName.map { .string($0) } ?? .null)
    files = [
      ("config.json", JSON.object(members + [dtype]).indented + "\n"),
      ("generation_config.json", JSON.object(tokens.members).indented + "\n"),
    ]
  }

  private static func configuration(_ model: Model) throws(CheckpointError) -> [JSON.Member] {
    let (configuration, file) = (model.configuration, model.checkpoint.configuration)
    let modelType = try file.string("model_type")
    guard let name = classes[modelType] else { preconditionFailure("no class for \(modelType)") }
    var members: [JSON.Member] = []
    func set(_ key: String, _ value: JSON) { members.append(JSON.Member(key: key, value: value)) }
    func take(_ keys: String...) { for key in keys { if let value = file[key] { set(key, value) } } }
    set("architectures", .array([.string(name)]))
    set("model_type", .string(modelType))
    set("hidden_act", .string("silu"))
    set("hidden_size", .integer(configuration.hiddenSize))
    set("intermediate_size", .integer(configuration.intermediateSize))
    set("num_hidden_layers", .integer(configuration.layerCount))
    set("num_attention_heads", .integer(configuration.headCount))
    set("num_key_value_heads", .integer(configuration.keyValueHeadCount))
    set("head_dim", .integer(configuration.headDimension))
    set("vocab_size", .integer(configuration.vocabularySize))
    set("max_position_embeddings", .integer(try file.size("max_position_embeddings", default: 2048)))
    set("rms_norm_eps", shortest(configuration.normEpsilon))
    set("rope_theta", shortest(Float(configuration.rotary.base)))
    set("rope_scaling", try rotaryScaling(model))
    set("tie_word_embeddings", .boolean(configuration.tiesEmbeddings))
    take("attention_bias", "qkv_bias")
    // The classes differ in what they take for a window that is not named.
    set("sliding_window", .null)
    if modelType.hasPrefix("qwen") { set("use_sliding_window", .boolean(false)) }
    guard let mixture = configuration.mixture else { return members }
    set(modelType == "mixtral" ? "num_local_experts" : "num_experts", .integer(mixture.expertCount))
    set("num_experts_per_tok", .integer(mixture.expertsPerToken))
    set("output_router_logits", .boolean(false))
    if modelType == "mixtral" { return members }
    set("norm_topk_prob", .boolean(mixture.normalizesWeights))
    if modelType.hasPrefix("qwen") {
      set("moe_intermediate_size", .integer(mixture.intermediateSize))
      set("decoder_sparse_step", .integer(1))
      take("mlp_only_layers")
    }
    if let shared = mixture.sharedIntermediateSize { set("shared_expert_intermediate_size", .integer(shared)) }
    return members
  }

  /// The shortest number that is the same in float32: 1e-05 rather than 9.999999747378752e-06.
  private static func shortest(_ value: Float) -> JSON { .number(Double("\(value)") ?? Double(value)) }

  private static func rotaryScaling(_ model: Model) throws(CheckpointError) -> JSON {
    let rotary = model.configuration.rotary
    guard case .divided(let factors) = rotary.scaling else {
      return model.checkpoint.configuration["rope_scaling"] ?? .null
    }
    if factors.allSatisfy({ $0 == 1 }) { return .null }
    guard let (factor, positions) = rotary.llama3(dividingBy: factors) else {
      throw model.checkpoint.error(
        .unsupported, tensor: "rope_freqs.weight", "it is not Llama 3.1's scaling, so that config.json cannot say it")
    }
    return .object([
      JSON.Member(key: "rope_type", value: .string("llama3")), JSON.Member(key: "factor", value: .number(factor)),
      JSON.Member(key: "low_freq_factor", value: .number(1)), JSON.Member(key: "high_freq_factor", value: .number(4)),
      JSON.Member(key: "original_max_position_embeddings", value: .integer(positions)),
    ])
  }

  /// Ids that begin, end and pad a text.
  private struct SpecialTokens {
    let members: [JSON.Member]

    init(_ parts: GGUFParts?) {
      func id(_ key: String) -> JSON { parts?["tokenizer.ggml.\(key)_token_id"]?.integer.map(JSON.integer) ?? .null }
      let ends = ["eos", "eot"].map(id).filter { !$0.isNull }
      let differ = ends.count == 2 && ends[0].integer != ends[1].integer
      members = [
        JSON.Member(key: "bos_token_id", value: id("bos")),
        JSON.Member(key: "eos_token_id", value: differ ? .array(ends) : ends.first ?? .null),
        JSON.Member(key: "pad_token_id", value: id("padding")),
      ]
    }
  }
}

extension RotaryConfiguration {
  /// Llama 3.1's scaling with the bounds that its models have, 1 and 4, if it is what divides the frequencies so.
  fileprivate func llama3(dividingBy factors: [Float]) -> (factor: Double, positions: Int)? {
    var candidate = self
    candidate.scaling = .none
    let plain = candidate.frequencies.radians
    guard let largest = factors.max(), factors.count == plain.count else { return nil }
    for factor in [Double(largest).rounded(), Double(largest)] {
      for positions in (4...24).map({ 1 << $0 }) {
        candidate.scaling = .llama3(
          factor: factor, lowFrequency: 1, highFrequency: 4, originalPositions: Double(positions))
        let scaled = candidate.frequencies.radians
        let isSame = zip(plain, scaled).enumerated().allSatisfy { pair, frequencies in
          abs(frequencies.0 / frequencies.1 / factors[pair] - 1) < 1e-5
        }
        if isSame { return (factor, positions) }
      }
    }
    return nil
  }
}
