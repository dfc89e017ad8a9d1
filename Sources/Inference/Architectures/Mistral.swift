internal import Checkpoints

/// Mistral: Llama with a sliding window.
enum Mistral: Architecture {
  static let modelTypes = ["mistral"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, defaults: .init(keyValueHeadCount: 8, slidingWindow: .configurable(default: 4096)), mixture: nil)
  }

  static func layout(_ configuration: TransformerConfiguration) -> TensorLayout { Llama.layout(configuration) }
}
