internal import Checkpoints

/// A family of models: how its configuration is read and where its tensors are.
protocol Architecture: Sendable {
  /// The values of `model_type` in config.json that it answers to.
  static var modelTypes: [String] { get }
  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration
  /// - Throws: `CheckpointError` when the configuration asks something of a layer that is not computed.
  static func layout(
    _ configuration: TransformerConfiguration, of checkpoint: Checkpoint
  ) throws(CheckpointError) -> TensorLayout
}
