internal import Checkpoints

/// DeepSeek-V3 and R1 (arXiv 2412.19437), also Moonlight and Kimi K2: latent attention, sigmoid routing.
enum DeepSeekV3: Architecture {
  static let modelTypes = ["deepseek_v3"]
  static let className = "DeepseekV3ForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    let shape = try LatentShape(file)
    var configuration = try shape.configuration(
      file, options: .init(computesAttentionBias: true),
      mixture: SigmoidRouting.mixture(
        file, defaults: .init(experts: 256, perToken: 8, width: 2048, scale: 2.5, groups: (8, 4))))
    configuration.rotary.isInterleaved = try file.flag("rope_interleave", default: true)
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try LatentShape(file).decoder(configuration, file, contains: contains)
    let dense = try file.count("first_k_dense_replace", default: 3)
    return decoder.layout { layer, prefix in
      layer < dense ? decoder.dense(prefix) : SigmoidRouting.layer(decoder, prefix)
    }
  }
}
