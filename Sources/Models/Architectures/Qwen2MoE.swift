internal import Checkpoints

/// Qwen2-MoE and Qwen1.5-MoE: Qwen2 with a mixture of small experts and a shared one, which every token goes to. Some
/// layers may be dense.
enum Qwen2MoE: Architecture {
  static let modelTypes = ["qwen2_moe"]
  static let className = "Qwen2MoeForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "qwen2moe", isMixture: true, namesExpertWidth: true,
    biasMembers: { [JSON.Member(key: "qkv_bias", value: .boolean($0))] })

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(keyValueHeadCount: 16),
      mixture: .init(
        file, defaults: (experts: 60, perToken: 4), intermediateSize: file.size("moe_intermediate_size", default: 1408),
        sharedIntermediateSize: file.size("shared_expert_intermediate_size", default: 5632),
        normalizesWeights: file.flag("norm_topk_prob", default: false)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let isDense = try denseLayers(file, layers: configuration.layerCount)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains,
      hasProjectionBiases: try file.flag("qkv_bias", default: true),
      slidingWindows: try SlidingWindows.switched(
        file, layers: configuration.layerCount, slides: { layer, maximum in layer < maximum && layer % 2 == 0 }))
    return decoder.layout { layer, prefix in
      isDense[layer] ? decoder.dense(prefix) : mixture(decoder, prefix)
    }
  }

  /// A mixture with a shared expert and its gate.
  static func mixture(_ decoder: DecoderLayout, _ prefix: String) -> DecoderLayout.FeedForward {
    var result = decoder.mixture(prefix)
    result.shared = decoder.configuration.mixture?.sharedIntermediateSize.map { intermediate in
      TensorLayout.SharedExpert(
        expert: decoder.expert(prefix + "shared_expert.", intermediate: intermediate),
        gate: decoder.vector(prefix + "shared_expert_gate.weight", decoder.hidden))
    }
    return result
  }

  /// Whether each layer is dense: those that `mlp_only_layers` names, and all but every `decoder_sparse_step`-th.
  static func denseLayers(_ file: Configuration, layers: Int) throws(CheckpointError) -> [Bool] {
    let step = try file.size("decoder_sparse_step", default: 1)
    var named: Set<Int> = []
    if let list = file["mlp_only_layers"] {
      let numbers = list.array?.compactMap(\.integer)
      guard let numbers, numbers.count == list.array?.count else {
        throw file.error(.malformed, "\"mlp_only_layers\" is not a list of whole numbers")
      }
      named = Set(numbers)
    }
    return (0..<layers).map { named.contains($0) || ($0 + 1) % step != 0 }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    guard let mixture = configuration.mixture else { return [] }
    var members = ConfigurationMembers([SlidingWindows.switchedOff])
    members.set(mixture.members(count: "num_experts") + [mixture.normalization])
    members.set("moe_intermediate_size", .integer(mixture.intermediateSize))
    members.set("decoder_sparse_step", .integer(1))
    if let dense = file["mlp_only_layers"] { members.set("mlp_only_layers", dense) }
    if let shared = mixture.sharedIntermediateSize { members.set("shared_expert_intermediate_size", .integer(shared)) }
    return members.all
  }
}

extension Qwen2MoE: MixtureArchitecture {
  static let title = "Qwen2-MoE"
  static let mergekitNames = ["qwen", "qwen moe"]
  static let hasSharedExpert = true

  static func describe(_ base: MergeBase, expertCount: Int, in members: inout ConfigurationMembers) {
    // Both classes count windows only if told to, and then in other layers: the layers are named.
    let windows = base.layout.layers.map(\.slidingWindow)
    let size = windows.compactMap(\.self).first
    members.set("use_sliding_window", .boolean(size != nil))
    if let size {
      members.set("sliding_window", .integer(size))
      members.set("layer_types", .array(windows.map { .string($0 == nil ? "full_attention" : "sliding_attention") }))
    }
    let width = JSON.integer(base.configuration.intermediateSize)
    members.set("moe_intermediate_size", width)
    members.set("shared_expert_intermediate_size", width)
    members.set("decoder_sparse_step", .integer(1))
    members.set("mlp_only_layers", .array([]))
    members.set("norm_topk_prob", .boolean(true))
    members.set("qkv_bias", .boolean(true))
    members.set("num_experts", .integer(expertCount))
  }
}
