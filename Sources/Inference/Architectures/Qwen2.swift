internal import Checkpoints

/// Qwen2 (arXiv 2407.10671), Qwen2.5 and Qwen1.5: Llama with biases on queries, keys and values.
enum Qwen2: Architecture {
  static let modelTypes = ["qwen2"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(file, options: .init(keyValueHeadCount: 32), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, of checkpoint: Checkpoint
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, checkpoint: checkpoint, hasProjectionBiases: true,
      slidingWindows: try SlidingWindows.switched(
        checkpoint.configuration, layers: configuration.layerCount, slides: { layer, maximum in layer >= maximum }))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
