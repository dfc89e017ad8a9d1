internal import Checkpoints

/// OLMoE (arXiv 2409.02060): a mixture of many small experts, with norms over all heads' queries and over all keys.
enum OLMoE: Architecture {
  static let modelTypes = ["olmoe"]
  static let className = "OlmoeForCausalLM"
  static let gguf: GGUFArchitecture? = .init(name: "olmoe", isMixture: true, normsKeysOfFullWidth: true)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    // transformers passes a sliding window on to some kernels of attention and not to others.
    for key in ["clip_qkv", "sliding_window"] where file[key] != nil {
      throw file.error(.unsupported, "\"\(key)\" is not supported for OLMoE")
    }
    return try TransformerConfiguration(
      file, options: .init(normEpsilon: 1e-5, computesAttentionBias: true),
      mixture: .init(
        file, defaults: (experts: 64, perToken: 8), intermediateSize: file.size("intermediate_size"),
        normalizesWeights: file.flag("norm_topk_prob", default: false)))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      queryKeyNorms: .allHeads,
      slidingWindows: try SlidingWindows.none(file, layers: configuration.layerCount))
    return decoder.layout { _, prefix in decoder.mixture(prefix) }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    guard let mixture = configuration.mixture else { return [] }
    return mixture.members(count: "num_experts") + [mixture.normalization]
  }
}
