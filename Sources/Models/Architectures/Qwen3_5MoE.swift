internal import Checkpoints

/// Qwen3.5's mixtures, the text model: Qwen3-Next whose linear attention has a matrix for each of its inputs.
enum Qwen3_5MoE: Architecture {
  static let modelTypes = ["qwen3_5_moe_text"]
  static let className = "Qwen3_5MoeForCausalLM"
  static let readsSeparateExperts = false

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    // The class knows no dense layers.
    var members = ConfigurationMembers(file.json.members ?? [])
    members.setIfMissing("intermediate_size", .integer(try file.size("moe_intermediate_size", default: 512)))
    let file = Configuration(file: file.file, json: members.json)
    return try QwenHybrid.configuration(
      file,
      mixture: .init(
        file, defaults: (experts: 256, perToken: 8), intermediateSize: file.size("moe_intermediate_size", default: 512),
        sharedIntermediateSize: file.size("shared_expert_intermediate_size", default: 512), normalizesWeights: true))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try QwenHybrid.decoder(configuration, file, isFused: false, contains: contains)
    return decoder.layout { _, prefix in Qwen2MoE.mixture(decoder, prefix) }
  }
}
