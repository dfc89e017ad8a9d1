internal import Checkpoints
internal import Glibc

/// DeepSeek-V3 and R1 (arXiv 2412.19437), also Moonlight and Kimi K2: latent attention, sigmoid routing.
enum DeepSeekV3: Architecture {
  static let modelTypes = ["deepseek_v3"]
  static let className = "DeepseekV3ForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    let shape = try LatentShape(file)
    var configuration = try shape.configuration(
      file, options: .init(computesAttentionBias: true),
      mixture: SigmoidRouting.mixture(
        file, defaults: .init(experts: 256, perToken: 8, width: 2048, scale: 2.5, groups: (8, 4))))
    configuration.rotary.isInterleaved = try file.flag("rope_interleave", default: true)
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try LatentShape(file).decoder(configuration, file, contains: contains)
    let dense = try file.count("first_k_dense_replace", default: 3)
    return decoder.layout { layer, prefix in
      layer < dense ? decoder.dense(prefix) : SigmoidRouting.layer(decoder, prefix)
    }
  }
}

/// GLM-4.7-Flash: GLM's mixture with DeepSeek's latent attention.
enum GLM4MoELite: Architecture {
  static let modelTypes = ["glm4_moe_lite"]
  static let className = "Glm4MoeLiteForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    let shape = try LatentShape(file, defaults: .init(query: 768, plain: 192, value: 256))
    var configuration = try shape.configuration(
      file, options: .init(normEpsilon: 1e-5, computesAttentionBias: true),
      mixture: SigmoidRouting.mixture(
        file, defaults: .init(experts: 64, perToken: 4, width: 1536, scale: 1.8)))
    configuration.rotary.isInterleaved = try file.flag("rope_interleave", default: true)
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try LatentShape(file, defaults: .init(query: 768, plain: 192, value: 256))
      .decoder(configuration, file, contains: contains)
    let isDense = try denseLayers(file, layers: configuration.layerCount)
    return decoder.layout { layer, prefix in
      isDense[layer] ? decoder.dense(prefix) : SigmoidRouting.layer(decoder, prefix)
    }
  }
}

extension GLM4MoELite {
  /// Those that `mlp_layer_types` names, or the first.
  private static func denseLayers(_ file: Configuration, layers: Int) throws(CheckpointError) -> [Bool] {
    guard let list = file["mlp_layer_types"] else { return (0..<layers).map { $0 == 0 } }
    guard let types = list.array?.compactMap(\.string), types.count == layers,
      types.allSatisfy({ ["dense", "sparse"].contains($0) })
    else {
      throw file.error(.malformed, "\"mlp_layer_types\" is not \"dense\" or \"sparse\" for each of \(layers) layers")
    }
    return types.map { $0 == "dense" }
  }
}

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
