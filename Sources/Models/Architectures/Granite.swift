internal import Checkpoints

/// Granite 3 (IBM): Llama with multipliers of embeddings, scores, logits and what layers add.
enum Granite: Architecture {
  static let modelTypes = ["granite"]
  static let className = "GraniteForCausalLM"
  static let gguf: GGUFArchitecture? = gguf("granite")

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    var configuration = try TransformerConfiguration(
      file, options: .init(computesAttentionBias: true), mixture: nil)
    configuration.multipliers = try multipliers(file)
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      slidingWindows: try SlidingWindows.none(file, layers: configuration.layerCount))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    multiplierKeys.map { JSON.Member(key: $0, value: file[$0] ?? .number(1)) }
  }

  // MARK: Multipliers

  static func gguf(_ name: String, isMixture: Bool = false) -> GGUFArchitecture {
    GGUFArchitecture(
      name: name, isMixture: isMixture, interleavesRows: true, normalizesWeights: isMixture,
      parameters: zip(["embedding_scale", "residual_scale", "attention.scale", "logit_scale"], multiplierKeys).map {
        .init(key: $0, member: $1, fallback: 1)
      })
  }

  static let multiplierKeys = [
    "embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling",
  ]

  static func multipliers(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration.Multipliers {
    var result = TransformerConfiguration.Multipliers()
    result.embedding = try file.float(multiplierKeys[0], default: 1)
    result.residual = try file.float(multiplierKeys[1], default: 1)
    result.attention = try file.float(multiplierKeys[2], default: 1)
    // Logits are divided by it.
    result.logits = 1 / (try file.float(multiplierKeys[3], default: 1))
    return result
  }
}
