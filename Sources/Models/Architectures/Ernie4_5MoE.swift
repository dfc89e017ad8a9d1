internal import Checkpoints

/// ERNIE 4.5's mixtures: a softmax router whose experts are chosen with a bias, shared experts, and pairs of neighbouring
/// numbers rotated together.
enum Ernie4_5MoE: Architecture {
  static let modelTypes = ["ernie4_5_moe"]
  static let className = "Ernie4_5_MoeForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "ernie4_5-moe", isMixture: true, interleavesRows: true, isInterleavedInFolders: true, normalizesWeights: true,
    namesExpertWidth: true, hasLeadingDenseLayers: true,
    parameters: [
      .init(key: "leading_dense_block_count", member: "moe_layer_start_index", isWhole: true, fallback: 1),
      .init(key: "interleave_moe_layer_step", member: "moe_layer_interval", isWhole: true, fallback: 1),
      .init(key: "expert_shared_count", member: "moe_num_shared_experts", isWhole: true, fallback: 2),
    ])

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    guard try !file.flag("use_bias", default: false) else {
      throw file.error(.unsupported, "\"use_bias\" is not supported for this architecture")
    }
    var members = ConfigurationMembers(file.json.members ?? [])
    for (own, common) in [("moe_num_experts", "num_experts"), ("moe_k", "num_experts_per_tok")] {
      if let value = file[own] { members.set(common, value) }
    }
    let file = Configuration(file: file.file, json: members.json)
    let width = try file.size("moe_intermediate_size", default: 1536)
    let shared = try file.count("moe_num_shared_experts", default: 2)
    guard shared <= 1000, width <= 1 << 24 else {
      throw file.error(.malformed, "\"moe_num_shared_experts\" is \(shared)")
    }
    var configuration = try TransformerConfiguration(
      file, options: .init(rotaryBase: 5e5, normEpsilon: 1e-5, keyValueHeadCount: 4, tiesEmbeddings: true),
      mixture: .init(
        file, defaults: (experts: 64, perToken: 6), intermediateSize: width,
        sharedIntermediateSize: shared == 0 ? nil : width * shared, normalizesWeights: true))
    configuration.rotary.isInterleaved = true
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let layers = configuration.layerCount
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains,
      slidingWindows: try SlidingWindows.none(file, layers: layers))
    let first = try file.count("moe_layer_start_index", default: 1)
    let interval = try file.size("moe_layer_interval", default: 1)
    // -1 is the last layer.
    let end = file["moe_layer_end_index"]?.integer ?? -1
    let last = end == -1 ? layers - 1 : end
    return decoder.layout { layer, prefix in
      guard layer >= first, layer <= last, (layer + 1) % interval == 0, let mixture = configuration.mixture else {
        return decoder.dense(prefix)
      }
      var result = decoder.mixture(prefix)
      // As transformers 5 holds it, or as published checkpoints do.
      let biases = ["gate.moe_statics.", "moe_statics."].map { prefix + $0 + "e_score_correction_bias" }
      result.selectionBias = decoder.vector(biases.first(where: contains) ?? biases[1], mixture.expertCount)
      result.shared = SigmoidRouting.shared(decoder, prefix)
      return result
    }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    guard let mixture = configuration.mixture else { return [] }
    let shared = (mixture.sharedIntermediateSize ?? 0) / max(1, mixture.intermediateSize)
    return [
      JSON.Member(key: "moe_num_experts", value: .integer(mixture.expertCount)),
      JSON.Member(key: "moe_k", value: .integer(mixture.expertsPerToken)),
      JSON.Member(key: "moe_intermediate_size", value: .integer(mixture.intermediateSize)),
      JSON.Member(key: "moe_num_shared_experts", value: .integer(shared)),
      JSON.Member(key: "moe_layer_start_index", value: file["moe_layer_start_index"] ?? .integer(0)),
      JSON.Member(key: "moe_layer_interval", value: file["moe_layer_interval"] ?? .integer(1)),
      JSON.Member(key: "moe_layer_end_index", value: .integer(-1)),
    ]
  }
}
