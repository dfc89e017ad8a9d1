internal import Checkpoints

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
