internal import Checkpoints

/// Qwen2-MoE and Qwen1.5-MoE: Qwen2 with a mixture of small experts and a shared one, which every token goes to. Some layers
/// may be dense.
enum Qwen2MoE: Architecture {
  static let modelTypes = ["qwen2_moe"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(keyValueHeadCount: 16),
      mixture: .init(
        file, intermediateSize: file.size("moe_intermediate_size"),
        sharedIntermediateSize: file.size("shared_expert_intermediate_size"),
        normalizesWeights: file.flag("norm_topk_prob", default: false)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, of checkpoint: Checkpoint
  ) throws(CheckpointError) -> TensorLayout {
    let file = checkpoint.configuration
    let isDense = try denseLayers(file, layers: configuration.layerCount)
    let decoder = DecoderLayout(
      configuration: configuration, checkpoint: checkpoint,
      hasProjectionBiases: try file.flag("qkv_bias", default: true),
      slidingWindows: try SlidingWindows.switched(
        file, layers: configuration.layerCount, slides: { layer, maximum in layer < maximum && layer % 2 == 0 }))
    return decoder.layout { layer, prefix in
      guard !isDense[layer], let intermediate = configuration.mixture?.sharedIntermediateSize else {
        return decoder.dense(prefix)
      }
      let (router, experts, _) = decoder.mixture(prefix)
      let shared = TensorLayout.SharedExpert(
        expert: decoder.expert(prefix + "shared_expert.", intermediate: intermediate),
        gate: decoder.vector(prefix + "shared_expert_gate.weight", configuration.hiddenSize))
      return (router, experts, shared)
    }
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
}
