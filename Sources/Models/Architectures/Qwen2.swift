internal import Checkpoints

/// Qwen2 (arXiv 2407.10671), Qwen2.5 and Qwen1.5: Llama with biases on queries, keys and values.
enum Qwen2: Architecture {
  static let modelTypes = ["qwen2"]
  static let className = "Qwen2ForCausalLM"
  static let gguf: GGUFArchitecture? = .init(name: "qwen2", biasMembers: { _ in [] })
  static let merged: MergeTarget? = .init(mixture: Qwen2MoE.self)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(file, options: .init(keyValueHeadCount: 32), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: true,
      slidingWindows: try SlidingWindows.switched(
        file, layers: configuration.layerCount, slides: { layer, maximum in layer >= maximum }))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    [SlidingWindows.switchedOff]
  }
}
