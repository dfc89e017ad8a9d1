internal import Checkpoints

/// Mixtral: Mistral with a mixture of experts (arXiv 2401.04088).
enum Mixtral: Architecture {
  static let modelTypes = ["mixtral"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(rotaryBase: 1e6, normEpsilon: 1e-5, keyValueHeadCount: 8),
      mixture: .init(file, intermediateSize: file.size("intermediate_size"), normalizesWeights: true))
  }

  static func layout(
    _ configuration: TransformerConfiguration, of checkpoint: Checkpoint
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, checkpoint: checkpoint,
      slidingWindows: try SlidingWindows.uniform(
        checkpoint.configuration, layers: configuration.layerCount, default: nil))
    return decoder.layout { layer, prefix in
      decoder.mixture(
        "model.layers.\(layer).block_sparse_moe.", stackedPrefix: prefix, roles: (gate: "w1", up: "w3", down: "w2"))
    }
  }
}
