internal import Checkpoints

/// A family of models: how its configuration is read, where its tensors are, and what else can be done with it. A file
/// of its own each; `ArchitectureRegistry` lists them.
protocol Architecture: Sendable {
  /// The values of `model_type` in config.json that it answers to; the first is the one that is written.
  static var modelTypes: [String] { get }
  /// The class that runs it in transformers: `architectures` in config.json.
  static var className: String { get }

  /// The module of a layer that consists of the experts in transformers.
  static var expertsModule: String { get }

  /// Whether transformers reads experts that are stored one by one, in the names that `layout` gives them.
  static var readsSeparateExperts: Bool { get }

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration

  /// - Parameters:
  ///   - file: config.json, which `configuration` was read from.
  ///   - contains: Whether the checkpoint has a tensor of a name.
  /// - Throws: `CheckpointError` when the configuration asks something of a layer that is not computed.
  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout

  /// How GGUF files hold it; nil where they are neither read nor written.
  static var gguf: GGUFArchitecture? { get }

  /// What config.json says of it beyond what it says of every model, where the model comes from a GGUF file.
  ///
  /// - Parameter file: The GGUF file's metadata in the words of config.json.
  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member]

  /// The mixture that dense models of it are merged into; nil where there is none.
  static var merged: MergeTarget? { get }
}

extension Architecture {
  static var modelType: String { modelTypes[0] }
  static var expertsModule: String { "mlp.experts" }
  static var readsSeparateExperts: Bool { true }
  static var gguf: GGUFArchitecture? { nil }
  static var merged: MergeTarget? { nil }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] { [] }
}
