internal import Checkpoints

/// Gemma 4, its text model: Gemma 3 whose full layers have wider heads, whose keys are their values, and rotate a part of
/// their pairs; values are normed too, and each layer's states multiplied by a number. A mixture stands beside the dense
/// feed-forward layer, each with norms of its own.
///
/// The small models, with embeddings of their own in each layer and keys shared between layers, are not computed.
enum Gemma4: Architecture {
  static let modelTypes = ["gemma4_text"]
  static let className = "Gemma4ForCausalLM"
  static let expertsModule = "experts"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    for (key, fallback) in [("hidden_size_per_layer_input", 256), ("num_kv_shared_layers", 0)] {
      guard try file.count(key, default: fallback) == 0 else {
        throw file.error(.unsupported, "\"\(key)\" other than 0 is not supported")
      }
    }
    if let attention = file["use_bidirectional_attention"]?.string, attention != "vision" {
      throw file.error(
        .unsupported, "\"use_bidirectional_attention\" is not supported: the model predicts no next token")
    }
    var options = Gemma.options
    options.rotaryScalings = ["proportional", "linear", "yarn", "llama3"]
    options.allowsPartialRotation = true
    let rotation = try LayeredRotation(withDefaults(file), base: 1e6, slidingBase: 1e4, slidingBaseKey: nil)
    let sliding = HeadShape(
      count: try file.size("num_attention_heads"), keyValueCount: try file.size("num_key_value_heads", default: 4),
      dimension: try file.size("head_dim", default: 256))
    guard sliding.count.isMultiple(of: sliding.keyValueCount), sliding.count <= 1 << 16, sliding.dimension <= 1 << 15
    else {
      throw file.error(
        .malformed, "\(sliding.count) heads cannot share \(sliding.keyValueCount) key-value heads evenly")
    }
    var members = ConfigurationMembers(rotation.full.json.members ?? [])
    members.set("head_dim", .integer(try file.size("global_head_dim", default: 512)))
    if try file.flag("attention_k_eq_v", default: false), let heads = file["num_global_key_value_heads"] {
      members.set("num_key_value_heads", heads)
    }
    var configuration = try TransformerConfiguration(
      Configuration(file: file.file, json: members.json), options: options, mixture: mixture(file))
    configuration.slidingHeads = sliding
    configuration.slidingRotary = try rotation.sliding(headDimension: sliding.dimension)
    configuration.multipliers.embedding = Float(configuration.hiddenSize).squareRoot()
    configuration.multipliers.attention = 1
    configuration.multipliers.router = 1 / Float(configuration.hiddenSize).squareRoot()
    if file["final_logit_softcapping"] != nil {
      configuration.multipliers.logitCap = try file.float("final_logit_softcapping")
    }
    return configuration
  }

  /// With the rotation that the class takes where config.json says none.
  private static func withDefaults(_ file: Configuration) -> Configuration {
    guard file["rope_parameters"] == nil else { return file }
    var members = ConfigurationMembers(file.json.members ?? [])
    members.set(
      "rope_parameters",
      .object([
        JSON.Member(
          key: "full_attention",
          value: .object([
            JSON.Member(key: "rope_type", value: .string("proportional")),
            JSON.Member(key: "partial_rotary_factor", value: .number(0.25)),
          ]))
      ]))
    return Configuration(file: file.file, json: members.json)
  }

  /// The dense feed-forward layer is its shared expert.
  private static func mixture(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration.Mixture? {
    guard try file.flag("enable_moe_block", default: false) else { return nil }
    var members = ConfigurationMembers(file.json.members ?? [])
    members.set("num_experts_per_tok", file["top_k_experts"] ?? .null)
    return try .init(
      Configuration(file: file.file, json: members.json), defaults: (experts: nil, perToken: nil),
      intermediateSize: file.size("moe_intermediate_size"), sharedIntermediateSize: file.size("intermediate_size"),
      normalizesWeights: true)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let layers = configuration.layerCount
    var windows = try SlidingWindows.patterned(file, layers: layers, default: 512) { ($0 + 1) % 6 != 0 }
    // transformers makes the last layer a full one, whatever "layer_types" says.
    windows[layers - 1] = nil
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      queryKeyNorms: .eachHead, normsValues: true,
      layersWithoutValues: try file.flag("attention_k_eq_v", default: false)
        ? Set(windows.indices.filter { windows[$0] == nil }) : [],
      hasOutputScales: true, norms: .around, slidingWindows: windows)
    return decoder.layout { _, prefix in
      configuration.mixture == nil ? decoder.dense(prefix) : feedForward(decoder, String(prefix.dropLast(4)))
    }
  }

  /// - Parameter prefix: "model.layers.0."
  private static func feedForward(_ decoder: DecoderLayout, _ prefix: String) -> DecoderLayout.FeedForward {
    guard let mixture = decoder.configuration.mixture else { return decoder.dense(prefix + "mlp.") }
    func norm(_ name: String) -> TensorReference { decoder.vector(prefix + name, decoder.hidden) }
    var result = decoder.stackedMixture(
      router: prefix + "router.proj.weight", gateUp: prefix + "experts.gate_up_proj",
      down: prefix + "experts.down_proj")
    result.shared = TensorLayout.SharedExpert(
      expert: decoder.expert(prefix + "mlp.", intermediate: decoder.configuration.intermediateSize), gate: nil)
    result.norms = TensorLayout.MixtureNorms(
      router: norm("router.scale"), expertsInput: norm("pre_feedforward_layernorm_2.weight"),
      expertsOutput: norm("post_feedforward_layernorm_2.weight"),
      sharedOutput: norm("post_feedforward_layernorm_1.weight"))
    result.expertScales = decoder.vector(prefix + "router.per_expert_scale", mixture.expertCount)
    return result
  }
}
