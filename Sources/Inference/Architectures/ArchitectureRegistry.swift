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
}
