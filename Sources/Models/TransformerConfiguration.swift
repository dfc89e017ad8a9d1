internal import Checkpoints

/// The numbers that define a decoder-only transformer of the Llama family. What differs from layer to layer is in its
/// `TensorLayout`.
package struct TransformerConfiguration: Sendable {
  package let vocabularySize: Int
  package let hiddenSize: Int
  /// The hidden channels of a dense feed-forward layer.
  package let intermediateSize: Int
  package let layerCount: Int
  package let headCount: Int
  package let keyValueHeadCount: Int
  package let headDimension: Int
  package let normEpsilon: Float
  package internal(set) var rotary: RotaryConfiguration
  /// Nil for a model all of whose layers are dense.
  package internal(set) var mixture: Mixture?
  /// Whether the output matrix is the embedding. `Model` lets a stored matrix that differs prevail over the flag.
  package internal(set) var tiesEmbeddings: Bool

  package struct Mixture: Sendable {
    package let expertCount: Int
    /// Chosen by the router; a shared expert is not among them.
    package internal(set) var expertsPerToken: Int
    /// The hidden channels of each expert.
    package let intermediateSize: Int
    /// The hidden channels of the shared expert; nil without one.
    package let sharedIntermediateSize: Int?
    /// Whether the weights of a token's experts are divided by their sum.
    package let normalizesWeights: Bool
  }

  package var queryWidth: Int { headCount * headDimension }
  package var keyValueWidth: Int { keyValueHeadCount * headDimension }
  package var expertCount: Int { mixture?.expertCount ?? 1 }

  /// Experts that work on each token, a shared one included.
  package var expertsPerToken: Int {
    guard let mixture else { return 1 }
    return mixture.expertsPerToken + (mixture.sharedIntermediateSize == nil ? 0 : 1)
  }

  /// What is special to an architecture: what Hugging Face's configuration class takes for a key that config.json
  /// leaves out, and which options are computed.
  struct Options {
    var rotaryBase = 10_000.0
    var normEpsilon = 1e-6
    /// Nil for as many as there are heads, which is also what null means.
    var keyValueHeadCount: Int?
    /// Nil for the hidden size divided by the heads.
    var headDimension: Int?
    var computesAttentionBias = false
    var rotaryScalings = RotaryConfiguration.Scaling.names
    var allowsPartialRotation = false
  }

  /// Reads the keys that the configurations of Llama and its descendants share in Hugging Face checkpoints.
  ///
  /// - Throws: `CheckpointError` when a number is missing or out of range, when numbers contradict each other, and when
  ///   an option is set that this core does not compute.
  init(_ file: Configuration, options: Options, mixture: Mixture?) throws(CheckpointError) {
    vocabularySize = try file.size("vocab_size")
    hiddenSize = try file.size("hidden_size")
    intermediateSize = try file.size("intermediate_size")
    layerCount = try file.size("num_hidden_layers")
    headCount = try file.size("num_attention_heads")
    keyValueHeadCount = try file.size(
      "num_key_value_heads",
      default: file.isAbsent("num_key_value_heads") ? options.keyValueHeadCount ?? headCount : headCount)
    headDimension = try file.size("head_dim", default: options.headDimension ?? max(1, hiddenSize / headCount))
    normEpsilon = Float(try file.number("rms_norm_eps", default: options.normEpsilon))
    tiesEmbeddings = try file.flag("tie_word_embeddings", default: false)
    self.mixture = mixture

    guard layerCount <= 10_000 else { throw file.error(.malformed, "\"num_hidden_layers\" is \(layerCount)") }
    guard headCount % keyValueHeadCount == 0 else {
      throw file.error(.malformed, "\(headCount) heads cannot share \(keyValueHeadCount) key-value heads evenly")
    }
    if let mixture {
      guard mixture.expertsPerToken <= mixture.expertCount, mixture.expertCount <= 100_000 / layerCount else {
        throw file.error(
          .malformed, "\(mixture.expertsPerToken) of \(mixture.expertCount) experts per token is not possible")
      }
    }
    rotary = try RotaryConfiguration(
      file, headDimension: headDimension, defaultBase: options.rotaryBase, scalings: options.rotaryScalings,
      allowsPart: options.allowsPartialRotation)
    try Self.refuseUnsupported(file, options)
    let largest = max(
      vocabularySize, intermediateSize, hiddenSize, mixture?.intermediateSize ?? 0,
      mixture?.sharedIntermediateSize ?? 0,
      headCount.multipliedReportingOverflow(by: headDimension).partialValue)
    guard !largest.multipliedReportingOverflow(by: hiddenSize * 4).overflow,
      !headCount.multipliedReportingOverflow(by: headDimension).overflow, headCount * headDimension < 1 << 31
    else { throw file.error(.malformed, "its matrices would be too large to count") }
  }

  private static func refuseUnsupported(_ file: Configuration, _ options: Options) throws(CheckpointError) {
    if let activation = file["hidden_act"]?.string, activation != "silu", activation != "swish" {
      throw file.error(.unsupported, "the activation \"\(activation)\" is not supported, only silu")
    }
    for key in ["attention_bias", "mlp_bias"] where try file.flag(key, default: false) {
      if key == "attention_bias", options.computesAttentionBias { continue }
      throw file.error(.unsupported, "\"\(key)\" is not supported for this architecture")
    }
    if let quantization = file["quantization_config"], try !FactoredFormat.isUsed(by: file) {
      let method = quantization["quant_method"]?.string ?? "unknown"
      throw file.error(.unsupported, "its weights are quantised (\(method)); use the original checkpoint")
    }
  }
}

extension TransformerConfiguration.Mixture {
  /// Reads the numbers of experts, which configurations call `num_experts` or `num_local_experts`.
  ///
  /// - Parameter defaults: What the architecture's configuration class takes for numbers that config.json leaves out.
  init(
    _ file: Configuration, defaults: (experts: Int, perToken: Int), intermediateSize: Int,
    sharedIntermediateSize: Int? = nil, normalizesWeights: Bool
  ) throws(CheckpointError) {
    let names = ["num_local_experts", "num_experts"].filter { file[$0] != nil }
    expertCount = try file.size(names.first ?? "num_local_experts", default: defaults.experts)
    if let other = names.last, try file.size(other) != expertCount {
      throw file.error(.malformed, "\"num_local_experts\" and \"num_experts\" differ")
    }
    expertsPerToken = try file.size("num_experts_per_tok", default: defaults.perToken)
    self.intermediateSize = intermediateSize
    self.sharedIntermediateSize = sharedIntermediateSize
    self.normalizesWeights = normalizesWeights
  }

  /// What config.json says of experts.
  ///
  /// - Parameter count: The key of their number.
  func members(count: String) -> [JSON.Member] {
    [
      JSON.Member(key: count, value: .integer(expertCount)),
      JSON.Member(key: "num_experts_per_tok", value: .integer(expertsPerToken)),
      JSON.Member(key: "output_router_logits", value: .boolean(false)),
    ]
  }

  /// Whether weights are divided by their sum, as config.json says it where the class does not always divide.
  var normalization: JSON.Member { JSON.Member(key: "norm_topk_prob", value: .boolean(normalizesWeights)) }
}
