internal import Checkpoints

/// dots.llm1 (arXiv 2506.05767): Qwen3's attention and DeepSeek-V3's mixture.
enum Dots1: Architecture {
  static let modelTypes = ["dots1"]
  static let className = "Dots1ForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "dots1", isMixture: true, namesExpertWidth: true, gatingFunction: 2, hasLeadingDenseLayers: true,
    parameters: SigmoidRouting.ggufParameters(shared: 0, leadingDense: 0))

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(keyValueHeadCount: 32, computesAttentionBias: true),
      mixture: SigmoidRouting.mixture(file, defaults: .init(shared: 0, normalizesWeights: false)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      queryKeyNorms: .eachHead,
      slidingWindows: try SlidingWindows.beyond(file, layers: configuration.layerCount, fullLayers: 62))
    let dense = try file.count("first_k_dense_replace", default: 0)
    return decoder.layout { layer, prefix in
      layer < dense ? decoder.dense(prefix) : SigmoidRouting.layer(decoder, prefix)
    }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    SigmoidRouting.members(configuration, file)
  }
}
