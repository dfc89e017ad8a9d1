internal import Checkpoints

/// Mistral: Llama with a sliding window.
enum Mistral: Architecture {
  static let modelTypes = ["mistral"]
  static let className = "MistralForCausalLM"
  static let gguf = Llama.gguf
  static let merged: MergeTarget? = .init(mixture: Mixtral.self)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(file, options: .init(keyValueHeadCount: 8), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains,
      slidingWindows: try SlidingWindows.uniform(
        file, layers: configuration.layerCount, default: 4096))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
