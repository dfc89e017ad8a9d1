internal import Checkpoints

/// The architectures there are, chosen by `model_type`.
enum ArchitectureRegistry {
  static var all: [any Architecture.Type] {
    [
      Llama.self, Mistral.self, Mixtral.self, Qwen2.self, Qwen2MoE.self, Qwen3.self, Qwen3MoE.self, OLMoE.self,
      Phi3.self,
    ]
  }

  static func architecture(for file: Configuration) throws(CheckpointError) -> any Architecture.Type {
    let modelType = try file.string("model_type")
    guard let architecture = all.first(where: { $0.modelTypes.contains(modelType) }) else {
      let known = all.flatMap { $0.modelTypes }.joined(separator: ", ")
      throw file.error(.unsupported, "the architecture \"\(modelType)\" is not supported; supported are \(known)")
    }
    return architecture
  }

  /// A checkpoint with its configuration and layout. In GGUF, both are first put as a Hugging Face checkpoint would, for the
  /// architecture to read.
  static func understood(
    _ checkpoint: Checkpoint
  ) throws(CheckpointError) -> (checkpoint: Checkpoint, configuration: TransformerConfiguration, layout: TensorLayout) {
    guard let parts = checkpoint.gguf else {
      let architecture = try architecture(for: checkpoint.configuration)
      let configuration = try architecture.configuration(checkpoint.configuration)
      return (checkpoint, configuration, try architecture.layout(configuration, of: checkpoint))
    }
    let metadata = try GGUFMetadata(checkpoint, parts)
    let checkpoint = Checkpoint(checkpoint, configuration: try metadata.configuration())
    let architecture = try architecture(for: checkpoint.configuration)
    var configuration = try architecture.configuration(checkpoint.configuration)
    configuration.rotary = try metadata.rotary(configuration.rotary)
    let names = GGUFNames(checkpoint: checkpoint, expertCount: configuration.expertCount)
    let layout = try architecture.layout(configuration, of: checkpoint).renamed(names.translated)
    try metadata.refuseUnused(layout)
    return (checkpoint, configuration, layout)
  }
}
