internal import Checkpoints

/// Llama: dense, grouped-query attention, rotary embedding, RMSNorm, SwiGLU.
enum Llama: Architecture {
  static let modelTypes = ["llama"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(file, options: .init(computesAttentionBias: true), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, of checkpoint: Checkpoint
  ) throws(CheckpointError) -> TensorLayout {
    let file = checkpoint.configuration
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, checkpoint: checkpoint, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      slidingWindows: try SlidingWindows.none(file, layers: configuration.layerCount))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
