internal import Checkpoints

/// Qwen3-MoE: Qwen3 with a mixture of experts. Some layers may be dense.
enum Qwen3MoE: Architecture {
  static let modelTypes = ["qwen3_moe"]
  static let className = "Qwen3MoeForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "qwen3moe", isMixture: true, normalizesWeights: true, namesExpertWidth: true)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(keyValueHeadCount: 4, computesAttentionBias: true),
      mixture: .init(
        file, defaults: (experts: 128, perToken: 8), intermediateSize: file.size("moe_intermediate_size", default: 768),
        normalizesWeights: file.flag("norm_topk_prob", default: false)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let isDense = try Qwen2MoE.denseLayers(file, layers: configuration.layerCount)
    let usesWindow = try file.flag("use_sliding_window", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      queryKeyNorms: .eachHead,
      slidingWindows: usesWindow
        ? try SlidingWindows.uniform(file, layers: configuration.layerCount, default: 4096)
        : try SlidingWindows.none(file, layers: configuration.layerCount))
    return decoder.layout { layer, prefix in isDense[layer] ? decoder.dense(prefix) : decoder.mixture(prefix) }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    Qwen2MoE.members(configuration, file)
  }
}

extension Qwen3MoE: MixtureArchitecture {
  static let title = "Qwen3-MoE"
  static let mergekitNames = ["qwen3", "qwen3 moe"]

  static func refuse(parent file: Configuration) throws(CheckpointError) {
    guard try !file.flag("use_sliding_window", default: false) else {
      throw file.error(
        .unsupported,
        "a model with \"use_sliding_window\" cannot be merged: a Qwen3-MoE has the same window in all its layers")
    }
  }

  static func describe(_ base: MergeBase, expertCount: Int, in members: inout ConfigurationMembers) {
    // The dense class takes 128 for an absent key, the mixture's the hidden size divided by the heads.
    members.set("head_dim", .integer(base.configuration.heads.dimension))
    members.set("attention_bias", .boolean(base.layout.layers.contains { $0.attention.heads?.outputBias != nil }))
    members.set(SlidingWindows.switchedOff.key, SlidingWindows.switchedOff.value)
    members.set("moe_intermediate_size", .integer(base.configuration.intermediateSize))
    members.set("decoder_sparse_step", .integer(1))
    members.set("mlp_only_layers", .array([]))
    members.set("norm_topk_prob", .boolean(true))
    members.set("num_experts", .integer(expertCount))
  }
}
