internal import Checkpoints

/// Granite's mixtures (IBM): Granite with experts stacked in one tensor for gates and ups and one for downs.
enum GraniteMoE: Architecture {
  static let modelTypes = ["granitemoe"]
  static let className = "GraniteMoeForCausalLM"
  static let expertsModule = "block_sparse_moe.experts"
  static let gguf: GGUFArchitecture? = Granite.gguf("granitemoe", isMixture: true)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    var configuration = try TransformerConfiguration(
      file, options: .init(computesAttentionBias: true),
      mixture: .init(
        file, defaults: (experts: 8, perToken: 2), intermediateSize: file.size("intermediate_size"),
        normalizesWeights: true))
    configuration.multipliers = try Granite.multipliers(file)
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      slidingWindows: try SlidingWindows.none(file, layers: configuration.layerCount))
    return decoder.layout { layer, _ in
      let prefix = "model.layers.\(layer).block_sparse_moe."
      // What transformers 5 holds, or what the published checkpoints have.
      let isNew = contains(prefix + "experts.gate_up_proj")
      return decoder.stackedMixture(
        router: prefix + (isNew ? "router.weight" : "router.layer.weight"),
        gateUp: prefix + (isNew ? "experts.gate_up_proj" : "input_linear.weight"),
        down: prefix + (isNew ? "experts.down_proj" : "output_linear.weight"))
    }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    Granite.members(configuration, file) + (configuration.mixture?.members(count: "num_local_experts") ?? [])
  }
}
