internal import Checkpoints

/// Mixtral: Mistral with a mixture of experts (arXiv 2401.04088).
enum Mixtral: Architecture {
  static let modelTypes = ["mixtral"]
  static let className = "MixtralForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "llama", isMixture: true, interleavesRows: true, normalizesWeights: true, hasOutputBias: true)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(rotaryBase: 1e6, normEpsilon: 1e-5, keyValueHeadCount: 8),
      mixture: .init(
        file, defaults: (experts: 8, perToken: 2), intermediateSize: file.size("intermediate_size"),
        normalizesWeights: true))
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains,
      slidingWindows: try SlidingWindows.uniform(
        file, layers: configuration.layerCount, default: nil))
    return decoder.layout { layer, prefix in
      decoder.mixture(
        "model.layers.\(layer).block_sparse_moe.", stackedPrefix: prefix, roles: (gate: "w1", up: "w3", down: "w2"))
    }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    configuration.mixture?.members(count: "num_local_experts") ?? []
  }
}

extension Mixtral: MixtureArchitecture {
  static let title = "Mixtral"
  static let mergekitNames = ["mixtral"]
  static let limitation: String? = "has no place for biases"

  static func refuse(parent file: Configuration) throws(CheckpointError) {
    guard try !file.flag("attention_bias", default: false) else {
      throw file.error(
        .unsupported, "a model with \"attention_bias\" cannot be merged: a Mixtral has no place for biases")
    }
  }

  static func describe(_ base: MergeBase, expertCount: Int, in members: inout ConfigurationMembers) {
    members.set("sliding_window", base.layout.layers.first?.slidingWindow.map(JSON.integer) ?? .null)
    for member in base.defaults { members.setIfMissing(member.key, member.value) }
    members.set("num_local_experts", .integer(expertCount))
  }
}
