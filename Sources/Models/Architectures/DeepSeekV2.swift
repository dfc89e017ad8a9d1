internal import Checkpoints

/// DeepSeek-V2 (arXiv 2405.04434): latent attention, and a softmax whose weights are never divided by their sum.
enum DeepSeekV2: Architecture {
  static let modelTypes = ["deepseek_v2"]
  static let className = "DeepseekV2ForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    let shape = try LatentShape(file)
    let width = try file.size("moe_intermediate_size", default: 1407)
    let shared = try file.count("n_shared_experts", default: 2)
    guard shared <= 1000, width <= 1 << 24 else { throw file.error(.malformed, "\"n_shared_experts\" is \(shared)") }
    var mixture = try TransformerConfiguration.Mixture(
      file, defaults: (experts: 64, perToken: nil), intermediateSize: width,
      sharedIntermediateSize: shared == 0 ? nil : width * shared, normalizesWeights: false)
    mixture.weightScale = try file.float("routed_scaling_factor", default: 1)
    let method = file["topk_method"] == nil ? "greedy" : try file.string("topk_method")
    switch method {
    case "greedy": break
    case "group_limited_greedy":
      mixture.groups = try .init(file, mixture, best: 1, defaults: (1, 1))
    default: throw file.error(.unsupported, "\"topk_method\" \"\(method)\" is not supported")
    }
    var configuration = try shape.configuration(file, options: .init(computesAttentionBias: true), mixture: mixture)
    configuration.rotary.isInterleaved = true
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try LatentShape(file).decoder(configuration, file, contains: contains)
    let dense = try file.count("first_k_dense_replace", default: 0)
    return decoder.layout { layer, prefix in
      guard layer >= dense else { return decoder.dense(prefix) }
      var mixture = decoder.mixture(prefix)
      mixture.shared = SigmoidRouting.shared(decoder, prefix)
      return mixture
    }
  }
}
