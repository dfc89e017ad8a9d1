internal import Checkpoints

/// Qwen3-Next: three of four layers with linear attention by the gated delta rule, the fourth with gated attention; a
/// mixture of small experts with a shared one.
enum Qwen3Next: Architecture {
  static let modelTypes = ["qwen3_next"]
  static let className = "Qwen3NextForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try QwenHybrid.configuration(
      file,
      mixture: .init(
        file, defaults: (experts: 512, perToken: 10),
        intermediateSize: file.size("moe_intermediate_size", default: 512),
        sharedIntermediateSize: file.size("shared_expert_intermediate_size", default: 512),
        normalizesWeights: file.flag("norm_topk_prob", default: true)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try QwenHybrid.decoder(configuration, file, isFused: true, contains: contains)
    let isDense = try Qwen2MoE.denseLayers(file, layers: configuration.layerCount)
    return decoder.layout { layer, prefix in
      isDense[layer] ? decoder.dense(prefix) : Qwen2MoE.mixture(decoder, prefix)
    }
  }
}
