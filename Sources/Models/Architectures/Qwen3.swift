internal import Checkpoints

/// Qwen3 (arXiv 2505.09388), dense: Llama with norms on the queries and keys of each head.
enum Qwen3: Architecture {
  static let modelTypes = ["qwen3"]
  static let className = "Qwen3ForCausalLM"
  static let gguf: GGUFArchitecture? = .init(name: "qwen3")
  static let merged: MergeTarget? = .init(mixture: Qwen3MoE.self)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(keyValueHeadCount: 32, headDimension: 128, computesAttentionBias: true), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      queryKeyNorms: .eachHead,
      slidingWindows: try SlidingWindows.switched(
        file, layers: configuration.layerCount, slides: { layer, maximum in layer >= maximum }))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    [SlidingWindows.switchedOff]
  }
}
