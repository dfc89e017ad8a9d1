internal import Checkpoints

/// A family of models: how its configuration is read and where its tensors are.
protocol Architecture: Sendable {
  /// The values of `model_type` in config.json that it answers to.
  static var modelTypes: [String] { get }
  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration
  static func layout(_ configuration: TransformerConfiguration) -> TensorLayout
}
