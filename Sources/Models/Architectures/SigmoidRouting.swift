internal import Checkpoints

/// The mixture of DeepSeek-V3 (arXiv 2412.19437) and of those that took it over: weights are sigmoids of the router's
/// logits, experts are chosen by the weights and a bias from the best groups of experts, shared experts are one with
/// their hidden channels side by side.
enum SigmoidRouting {
  /// What a configuration class takes for keys that config.json leaves out. Nil for those that must be there.
  struct Defaults {
    var experts: Int?
    var perToken: Int?
    var width = 1408
    var shared = 1
    var normalizesWeights = true
    var scale = 1.0
    var groups = (count: 1, chosen: 1)
  }

  static func mixture(
    _ file: Configuration, defaults: Defaults
  ) throws(CheckpointError) -> TransformerConfiguration.Mixture {
    let width = try file.size("moe_intermediate_size", default: defaults.width)
    let shared = try file.count("n_shared_experts", default: defaults.shared)
    guard shared <= 1000, width <= 1 << 24 else { throw file.error(.malformed, "\"n_shared_experts\" is \(shared)") }
    var mixture = try TransformerConfiguration.Mixture(
      file, defaults: (experts: defaults.experts, perToken: defaults.perToken), intermediateSize: width,
      sharedIntermediateSize: shared == 0 ? nil : width * shared,
      normalizesWeights: file.flag("norm_topk_prob", default: defaults.normalizesWeights))
    if let scoring = file["scoring_func"]?.string, scoring != "sigmoid" {
      throw file.error(.unsupported, "\"scoring_func\" \"\(scoring)\" is not supported for this architecture")
    }
    mixture.gating = .sigmoid
    mixture.weightScale = try file.float("routed_scaling_factor", default: defaults.scale)
    mixture.groups = try .init(file, mixture, best: 2, defaults: defaults.groups)
    return mixture
  }

  static func layer(_ decoder: DecoderLayout, _ prefix: String) -> DecoderLayout.FeedForward {
    var result = decoder.mixture(prefix)
    guard let mixture = decoder.configuration.mixture else { return result }
    result.selectionBias = decoder.vector(prefix + "gate.e_score_correction_bias", mixture.expertCount)
    result.shared = shared(decoder, prefix)
    return result
  }

  /// Without a gate.
  static func shared(_ decoder: DecoderLayout, _ prefix: String) -> TensorLayout.SharedExpert? {
    decoder.configuration.mixture?.sharedIntermediateSize.map { width in
      TensorLayout.SharedExpert(expert: decoder.expert(prefix + "shared_experts.", intermediate: width), gate: nil)
    }
  }

  /// - Parameters: What the configuration class takes where config.json does not say it.
  static func ggufParameters(shared: Double, leadingDense: Double) -> [GGUFArchitecture.Parameter] {
    [
      .init(key: "expert_shared_count", member: "n_shared_experts", isWhole: true, fallback: shared),
      .init(key: "leading_dense_block_count", member: "first_k_dense_replace", isWhole: true, fallback: leadingDense),
      .init(key: "expert_weights_scale", member: "routed_scaling_factor", fallback: 1),
      .init(key: "expert_group_count", member: "n_group", isWhole: true, fallback: 1),
      .init(key: "expert_group_used_count", member: "topk_group", isWhole: true, fallback: 1),
    ]
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    guard let mixture = configuration.mixture else { return [] }
    var members = ConfigurationMembers()
    members.set("n_routed_experts", .integer(mixture.expertCount))
    members.set("num_experts_per_tok", .integer(mixture.expertsPerToken))
    members.set("moe_intermediate_size", .integer(mixture.intermediateSize))
    members.set("n_shared_experts", .integer((mixture.sharedIntermediateSize ?? 0) / mixture.intermediateSize))
    members.set([mixture.normalization])
    members.set("routed_scaling_factor", .number(Double(mixture.weightScale)))
    members.set("n_group", .integer(mixture.groups?.count ?? 1))
    members.set("topk_group", .integer(mixture.groups?.chosen ?? 1))
    members.set("first_k_dense_replace", file["first_k_dense_replace"] ?? .integer(0))
    return members.all
  }
}

extension TransformerConfiguration.Mixture.Groups {
  /// Reads `n_group` and `topk_group`; nil for a single group.
  ///
  /// - Parameters:
  ///   - best: How many of its best experts stand for a group.
  ///   - defaults: What absent keys, or null, mean.
  init?(
    _ file: Configuration, _ mixture: TransformerConfiguration.Mixture, best: Int,
    defaults: (count: Int, chosen: Int)
  ) throws(CheckpointError) {
    let count = try file.size("n_group", default: defaults.count)
    let chosen = try file.size("topk_group", default: defaults.chosen)
    guard chosen <= count, mixture.expertCount % count == 0 else {
      throw file.error(
        .malformed, "\(mixture.expertCount) experts cannot be chosen from \(chosen) of \(count) groups")
    }
    let size = mixture.expertCount / count
    guard count == 1 || size >= best, mixture.expertsPerToken <= size * chosen else {
      throw file.error(
        .malformed, "\(mixture.expertsPerToken) experts per token of \(chosen) groups of \(size) is not possible")
    }
    if count == 1 { return nil }
    (self.count, self.chosen, self.best) = (count, chosen, best)
  }
}
