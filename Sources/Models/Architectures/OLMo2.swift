internal import Checkpoints

/// OLMo 2 (arXiv 2501.00656): norms of what attention and feed-forward layers add, and over all heads' queries and keys.
enum OLMo2: Architecture {
  static let modelTypes = ["olmo2"]
  static let className = "Olmo2ForCausalLM"
  static let gguf: GGUFArchitecture? = .init(name: "olmo2")

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(normEpsilon: 1e-5, computesAttentionBias: true), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    try layout(
      configuration, file, contains: contains,
      slidingWindows: SlidingWindows.none(file, layers: configuration.layerCount))
  }

  /// OLMo 3's too.
  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool,
    slidingWindows: [Int?]
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      queryKeyNorms: .allHeads, norms: .after,
      slidingWindows: slidingWindows)
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
