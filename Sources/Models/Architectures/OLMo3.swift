internal import Checkpoints

/// OLMo 3: OLMo 2 with a sliding window in three of four layers, in which rotation is not scaled.
enum OLMo3: Architecture {
  static let modelTypes = ["olmo3"]
  static let className = "Olmo3ForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "olmo2", slidingPattern: 4, slidingBase: 5e5,
    parameters: [.init(key: "attention.sliding_window", member: "sliding_window", isWhole: true, fallback: 4096)])

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    // `rope_theta` is that of full layers alone, as transformers reads it.
    let rotary = try LayeredRotation(file, base: 5e5, slidingBase: 5e5, slidingBaseKey: nil)
    var configuration = try TransformerConfiguration(
      rotary.full, options: .init(rotaryBase: 5e5, normEpsilon: 1e-5, computesAttentionBias: true), mixture: nil)
    configuration.slidingRotary = try rotary.sliding(headDimension: configuration.heads.dimension)
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    try OLMo2.layout(
      configuration, file, contains: contains,
      slidingWindows: SlidingWindows.patterned(
        file, layers: configuration.layerCount, default: 4096, slides: { ($0 + 1) % 4 != 0 }))
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    [JSON.Member(key: "sliding_window", value: file["sliding_window"] ?? .null)]
  }
}
