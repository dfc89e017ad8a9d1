internal import Checkpoints

/// Ministral 3 (Mistral AI): Mistral whose queries grow with their positions beyond the context that it was first
/// trained with.
enum Ministral3: Architecture {
  static let modelTypes = ["ministral3"]
  static let className = "Ministral3ForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    var members = ConfigurationMembers(file.json.members ?? [])
    if file["rope_parameters"] == nil { members.set("rope_parameters", defaultRotation) }
    let file = Configuration(file: file.file, json: members.json)
    var configuration = try TransformerConfiguration(
      file,
      options: .init(
        rotaryBase: 1e6, normEpsilon: 1e-5, keyValueHeadCount: 8, headDimension: 128,
        otherRotaryKeys: ["llama_4_scaling_beta", "max_position_embeddings"]),
      mixture: nil)
    let parameters = Configuration(file: file.file, json: file["rope_parameters"] ?? .object([]))
    configuration.rotary.growth = RotaryConfiguration.Growth(
      beta: try parameters.float("llama_4_scaling_beta"),
      positions: try parameters.size("original_max_position_embeddings"))
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains,
      slidingWindows: try SlidingWindows.uniform(file, layers: configuration.layerCount, default: nil))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }

  /// What the configuration class takes where config.json says nothing.
  private static let defaultRotation = JSON.object([
    JSON.Member(key: "rope_type", value: .string("yarn")), JSON.Member(key: "rope_theta", value: .number(1e6)),
    JSON.Member(key: "factor", value: .number(16)),
    JSON.Member(key: "original_max_position_embeddings", value: .integer(16384)),
    JSON.Member(key: "beta_fast", value: .number(32)), JSON.Member(key: "beta_slow", value: .number(1)),
    JSON.Member(key: "mscale_all_dim", value: .number(1)), JSON.Member(key: "mscale", value: .number(1)),
    JSON.Member(key: "llama_4_scaling_beta", value: .number(0.1)),
  ])
}
