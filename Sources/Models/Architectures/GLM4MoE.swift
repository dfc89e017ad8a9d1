internal import Checkpoints

/// GLM-4.5 and 4.6 (arXiv 2508.06471): a mixture whose router's weights are sigmoids, chosen with a bias that balances
/// the load, and a shared expert; the first layers are dense, and half of each head is rotated.
enum GLM4MoE: Architecture {
  static let modelTypes = ["glm4_moe"]
  static let className = "Glm4MoeForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "glm4moe", isMixture: true, normalizesWeights: true, namesExpertWidth: true, rotatesPart: true,
    gatingFunction: 2, hasLeadingDenseLayers: true, hasFurtherLayers: true,
    feedForwardNorm: .attentionOutputNorm,
    queryKeyNormMember: "use_qk_norm", parameters: SigmoidRouting.ggufParameters(shared: 1, leadingDense: 1))

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file,
      options: .init(
        normEpsilon: 1e-5, keyValueHeadCount: 8, computesAttentionBias: true, allowsPartialRotation: true,
        partialRotation: 0.5),
      mixture: SigmoidRouting.mixture(file, defaults: .init(experts: 128, perToken: 8)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let norms = try file.flag("use_qk_norm", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains,
      hasProjectionBiases: try file.flag("attention_bias", default: false),
      queryKeyNorms: norms ? .eachHead : nil,
      slidingWindows: try SlidingWindows.none(file, layers: configuration.layerCount))
    let dense = try file.count("first_k_dense_replace", default: 1)
    return decoder.layout { layer, prefix in
      layer < dense ? decoder.dense(prefix) : SigmoidRouting.layer(decoder, prefix)
    }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    SigmoidRouting.members(configuration, file) + [
      JSON.Member(key: "use_qk_norm", value: file["use_qk_norm"] ?? .boolean(false)),
      JSON.Member(key: "partial_rotary_factor", value: file["partial_rotary_factor"] ?? .number(0.5)),
    ]
  }
}
