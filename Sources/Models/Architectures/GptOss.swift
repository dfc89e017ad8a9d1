internal import Checkpoints
internal import Tensors

/// gpt-oss (arXiv 2508.10925): a mixture in every layer, biases everywhere, a sink in each head, every other layer with a
/// sliding window, and a gated activation that is cut off.
///
/// Experts are stacked. As bfloat16, transformers stores them as (experts, inputs, outputs); in MXFP4, as they are
/// published, they are (experts, outputs, inputs). Outputs of gate and up projection take turns.
enum GptOss: Architecture {
  static let modelTypes = ["gpt_oss"]
  static let className = "GptOssForCausalLM"
  static let gguf: GGUFArchitecture? = .init(
    name: "gpt-oss", isMixture: true, normalizesWeights: true, hasOutputBias: true, namesExpertWidth: true,
    feedForwardNorm: .attentionOutputNorm, slidingPattern: 2, truncatesYarn: false,
    activation: .clampedSilu(slope: 1.702, limit: 7),
    parameters: [.init(key: "attention.sliding_window", member: "sliding_window", isWhole: true, fallback: 128)])

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    // The published models' rotation, which the class takes where config.json says none.
    var members = ConfigurationMembers(file.json.members ?? [])
    if file["rope_scaling"] == nil { members.setIfMissing("rope_parameters", yarn) }
    var configuration = try TransformerConfiguration(
      Configuration(file: file.file, json: members.json),
      options: .init(
        rotaryBase: 150_000, normEpsilon: 1e-5, keyValueHeadCount: 8, headDimension: 64, computesAttentionBias: true),
      mixture: .init(
        file, defaults: (experts: 128, perToken: 4), intermediateSize: file.size("intermediate_size"),
        normalizesWeights: true))
    configuration.activation = .clampedSilu(
      slope: try file.float("swiglu_alpha", default: 1.702), limit: try file.float("swiglu_limit", default: 7))
    return configuration
  }

  private static let yarn = JSON.object([
    JSON.Member(key: "rope_type", value: .string("yarn")), JSON.Member(key: "factor", value: .number(32)),
    JSON.Member(key: "beta_fast", value: .number(32)), JSON.Member(key: "beta_slow", value: .number(1)),
    JSON.Member(key: "truncate", value: .boolean(false)),
    JSON.Member(key: "original_max_position_embeddings", value: .integer(4096)),
  ])

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: true)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      hasSinks: true,
      slidingWindows: try SlidingWindows.patterned(file, layers: configuration.layerCount, default: 128) {
        $0.isMultiple(of: 2)
      })
    return decoder.layout { _, prefix in feedForward(decoder, prefix) }
  }

  private static func feedForward(_ decoder: DecoderLayout, _ prefix: String) -> DecoderLayout.FeedForward {
    guard let mixture = decoder.configuration.mixture else { return decoder.dense(prefix) }
    let (gateUp, down) = (prefix + "experts.gate_up_proj", prefix + "experts.down_proj")
    let isMXFP4 = decoder.contains(gateUp + "_blocks")
    let (count, width, hidden) = (mixture.expertCount, mixture.intermediateSize, decoder.hidden)
    /// A matrix of an expert, (outputs, inputs); of the stored outputs those from `first` on, every `step`.
    func matrix(
      _ name: String, _ expert: Int, outputs: Int, inputs: Int, first: Int = 0, step: Int = 1
    ) -> TensorReference {
      if isMXFP4 {
        return TensorReference(
          name: name, shape: (count, outputs, inputs), index: expert,
          part: step == 1 ? nil : MatrixPart(.rows, from: first, step: step, count: outputs / step))
      }
      return TensorReference(
        name: name, shape: (count, inputs, outputs), index: expert,
        part: MatrixPart(.columns, from: first, step: step, count: outputs / step, isTransposed: true))
    }
    func bias(_ name: String, _ expert: Int, outputs: Int, first: Int = 0, step: Int = 1) -> TensorReference {
      TensorReference(
        name: name + "_bias", shape: (count, outputs), rows: expert..<expert + 1,
        part: step == 1 ? nil : MatrixPart(.columns, from: first, step: step, count: outputs / step))
    }
    let experts = (0..<count).map { number in
      TensorLayout.Expert(
        gate: matrix(gateUp, number, outputs: 2 * width, inputs: hidden, first: 0, step: 2),
        up: matrix(gateUp, number, outputs: 2 * width, inputs: hidden, first: 1, step: 2),
        down: matrix(down, number, outputs: hidden, inputs: width),
        biases: [
          bias(gateUp, number, outputs: 2 * width, first: 0, step: 2),
          bias(gateUp, number, outputs: 2 * width, first: 1, step: 2), bias(down, number, outputs: hidden),
        ])
    }
    return DecoderLayout.FeedForward(
      router: decoder.matrix(prefix + "router.weight", count, hidden),
      routerBias: decoder.vector(prefix + "router.bias", count), experts: experts)
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    (configuration.mixture?.members(count: "num_local_experts") ?? [])
      + [JSON.Member(key: "sliding_window", value: file["sliding_window"] ?? .null)]
  }
}
