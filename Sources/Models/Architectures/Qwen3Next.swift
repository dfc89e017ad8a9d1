internal import Checkpoints

/// Qwen3-Next: three of four layers with linear attention by the gated delta rule, the fourth with gated attention; a
/// mixture of small experts with a shared one.
enum Qwen3Next: Architecture {
  static let modelTypes = ["qwen3_next"]
  static let className = "Qwen3NextForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try QwenHybrid.configuration(
      file,
      mixture: .init(
        file, defaults: (experts: 512, perToken: 10),
        intermediateSize: file.size("moe_intermediate_size", default: 512),
        sharedIntermediateSize: file.size("shared_expert_intermediate_size", default: 512),
        normalizesWeights: file.flag("norm_topk_prob", default: true)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try QwenHybrid.decoder(configuration, file, isFused: true, contains: contains)
    let isDense = try Qwen2MoE.denseLayers(file, layers: configuration.layerCount)
    return decoder.layout { layer, prefix in
      isDense[layer] ? decoder.dense(prefix) : Qwen2MoE.mixture(decoder, prefix)
    }
  }
}

/// Qwen3.5's mixtures, the text model: Qwen3-Next whose linear attention has a matrix for each of its inputs.
enum Qwen3_5MoE: Architecture {
  static let modelTypes = ["qwen3_5_moe_text"]
  static let className = "Qwen3_5MoeForCausalLM"

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

/// Qwen3.5, dense, the text model.
enum Qwen3_5: Architecture {
  static let modelTypes = ["qwen3_5_text"]
  static let className = "Qwen3_5ForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try QwenHybrid.configuration(file, keyValueHeadCount: 4, mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try QwenHybrid.decoder(configuration, file, isFused: false, contains: contains)
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
