internal import Checkpoints

/// The architectures there are.
enum ArchitectureRegistry {
  /// Where two have one name in GGUF, files are read as the earlier one.
  static let all: [any Architecture.Type] = [
    Llama.self, Mistral.self, Mixtral.self, Qwen2.self, Qwen2MoE.self, Qwen3.self, Qwen3MoE.self, OLMoE.self,
    Phi3.self, Gemma2.self, Gemma3.self, Gemma4.self, GLM4MoE.self, Dots1.self, Granite.self, GraniteMoE.self,
    OLMo2.self,
    OLMo3.self, SmolLM3.self, Ministral3.self, DeepSeekV2.self, DeepSeekV3.self, GLM4MoELite.self,
    Qwen3Next.self, Qwen3_5.self, Qwen3_5MoE.self, Ernie4_5MoE.self, GptOss.self,
  ]

  /// - Throws: `CheckpointError` for a `model_type` that none answers to.
  static func architecture(for file: Configuration) throws(CheckpointError) -> any Architecture.Type {
    let modelType = try file.string("model_type")
    guard let architecture = all.first(where: { $0.modelTypes.contains(modelType) }) else {
      let known = (all.flatMap { $0.modelTypes } + TextModel.modelTypes.keys.sorted()).joined(separator: ", ")
      throw file.error(.unsupported, "the architecture \"\(modelType)\" is not supported; supported are \(known)")
    }
    return architecture
  }

  /// Those that dense models can be merged into.
  static var mixtures: [any MixtureArchitecture.Type] { all.compactMap { $0 as? any MixtureArchitecture.Type } }
}
