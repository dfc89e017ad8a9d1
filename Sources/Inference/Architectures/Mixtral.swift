internal import Checkpoints

/// Mixtral: Mistral with a mixture of experts (arXiv 2401.04088).
enum Mixtral: Architecture {
  static let modelTypes = ["mixtral"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file,
      defaults: .init(
        rotaryBase: 1e6, normEpsilon: 1e-5, keyValueHeadCount: 8, slidingWindow: .configurable(default: nil)),
      mixture: TransformerConfiguration.Mixture(
        expertCount: try file.size("num_local_experts"), expertsPerToken: try file.size("num_experts_per_tok")))
  }

  static func layout(_ configuration: TransformerConfiguration) -> TensorLayout {
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize
    return Llama.layout(configuration) { prefix in
      let block = prefix + "block_sparse_moe."
      let experts = (0..<configuration.expertCount).map { number in
        let expert = block + "experts.\(number)."
        return TensorLayout.Expert(
          gate: TensorReference(name: expert + "w1.weight", rows: intermediate, columns: hidden),
          up: TensorReference(name: expert + "w3.weight", rows: intermediate, columns: hidden),
          down: TensorReference(name: expert + "w2.weight", rows: hidden, columns: intermediate))
      }
      let router = TensorReference(name: block + "gate.weight", rows: configuration.expertCount, columns: hidden)
      return (router, experts)
    }
  }
}
