internal import Checkpoints

/// Mistral: Llama with a sliding window.
enum Mistral: Architecture {
  static let modelTypes = ["mistral"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(file, options: .init(keyValueHeadCount: 8), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, of checkpoint: Checkpoint
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, checkpoint: checkpoint,
      slidingWindows: try SlidingWindows.uniform(
        checkpoint.configuration, layers: configuration.layerCount, default: 4096))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
