internal import Checkpoints
package import Tensors

/// The numbers that define a decoder-only transformer of the Llama family. What differs from layer to layer is in its
/// `TensorLayout`.
package struct TransformerConfiguration: Sendable {
  package let vocabularySize: Int
  package let hiddenSize: Int
  /// The hidden channels of a dense feed-forward layer.
  package let intermediateSize: Int
  package let layerCount: Int
  package internal(set) var heads: HeadShape
  /// Of layers with a sliding window, where they have other heads than the others.
  package internal(set) var slidingHeads: HeadShape?
  package let normEpsilon: Float
  /// What is added to the weights of norms: 1 where they are stored as what differs from 1.
  package internal(set) var normOffset: Float = 0
  package internal(set) var activation: GatedActivation
  package internal(set) var multipliers = Multipliers()
  package internal(set) var rotary: RotaryConfiguration
  /// How layers with a sliding window rotate, where they do so otherwise than the others; as many numbers of each head.
  package internal(set) var slidingRotary: RotaryConfiguration?
  /// Nil for a model all of whose layers are dense.
  package internal(set) var mixture: Mixture?
  /// Whether the output matrix is the embedding. `Model` lets a stored matrix that differs prevail over the flag.
  package internal(set) var tiesEmbeddings: Bool

  /// What numbers are multiplied by on their way, and where they are capped: x becomes cap · tanh(x / cap).
  package struct Multipliers: Sendable {
    /// Of embeddings.
    package internal(set) var embedding: Float = 1
    /// Of what attention and feed-forward layers add to the states.
    package internal(set) var residual: Float = 1
    /// Of the products of queries and keys; nil for 1 / √(a head's dimension).
    package internal(set) var attention: Float?
    package internal(set) var attentionCap: Float?
    /// Of what routers take, normed.
    package internal(set) var router: Float = 1
    /// Of logits.
    package internal(set) var logits: Float = 1
    package internal(set) var logitCap: Float?
  }

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
    package internal(set) var gating = Gating.softmax
    /// What the weights are multiplied by in the end; a shared expert's is not.
    package internal(set) var weightScale: Float = 1
    /// Experts are chosen from some of the groups that they are divided into, neighbours being in one; nil where they are
    /// not divided.
    package internal(set) var groups: Groups?

    /// What makes weights of the router's logits.
    package enum Gating: Sendable {
      /// Over all experts.
      case softmax
      /// Each expert's by itself.
      case sigmoid
    }

    package struct Groups: Sendable {
      package let count: Int
      /// How many of them a token's experts come from.
      package let chosen: Int
      /// How many of its best experts stand for a group.
      package let best: Int
    }
  }

  /// The heads of a layer, given its sliding window.
  package func heads(window: Int?) -> HeadShape { window == nil ? heads : slidingHeads ?? heads }

  /// What the heads of a layer take at most.
  package func largestOfHeads(_ size: (HeadShape) -> Int) -> Int {
    max(size(heads), slidingHeads.map(size) ?? 0)
  }

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
    /// Keys in `rope_parameters` that the architecture reads by itself.
    var otherRotaryKeys: [String] = []
    /// How many of a head's numbers rotation counts by; nil for all.
    var rotaryDimension: Int?
    var computesAttentionBias = false
    var rotaryScalings = RotaryConfiguration.Scaling.names
    var allowsPartialRotation = false
    /// The share of each head's numbers that is rotated.
    var partialRotation = 1.0
    var tiesEmbeddings = false
    /// The key of the activation, and what its names stand for; the first where it is left out.
    var activations = Activations()
  }

  struct Activations {
    var key = "hidden_act"
    var names: KeyValuePairs<String, GatedActivation> = ["silu": .silu, "swish": .silu]

    static let geluTanh = Activations(key: "hidden_activation", names: ["gelu_pytorch_tanh": .geluTanh])

    func read(_ file: Configuration) throws(CheckpointError) -> GatedActivation {
      let name = file[key] == nil ? names[0].key : try file.string(key)
      guard let activation = names.first(where: { $0.key == name })?.value else {
        throw file.error(
          .unsupported, "the activation \"\(name)\" is not supported for this architecture, only \(names[0].key)")
      }
      return activation
    }
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
    let headCount = try file.size("num_attention_heads")
    let keyValueHeadCount = try file.size(
      "num_key_value_heads",
      default: file.isAbsent("num_key_value_heads") ? options.keyValueHeadCount ?? headCount : headCount)
    let headDimension = try file.size("head_dim", default: options.headDimension ?? max(1, hiddenSize / headCount))
    heads = HeadShape(count: headCount, keyValueCount: keyValueHeadCount, dimension: headDimension)
    normEpsilon = Float(try file.number("rms_norm_eps", default: options.normEpsilon))
    tiesEmbeddings = try file.flag("tie_word_embeddings", default: options.tiesEmbeddings)
    activation = try options.activations.read(file)
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
      file, headDimension: options.rotaryDimension ?? headDimension,
      options: .init(
        base: options.rotaryBase, scalings: options.rotaryScalings, part: options.partialRotation,
        allowsPart: options.allowsPartialRotation, otherKeys: options.otherRotaryKeys))
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
    for key in ["attention_bias", "mlp_bias"] where try file.flag(key, default: false) {
      if key == "attention_bias", options.computesAttentionBias { continue }
      throw file.error(.unsupported, "\"\(key)\" is not supported for this architecture")
    }
    _ = try MatrixStorage(file)
  }
}

extension TransformerConfiguration.Mixture {
  /// Reads the numbers of experts, which configurations call `num_experts`, `num_local_experts` or `n_routed_experts`.
  ///
  /// - Parameter defaults: What the architecture's configuration class takes for numbers that config.json leaves out.
  init(
    _ file: Configuration, defaults: (experts: Int?, perToken: Int?), intermediateSize: Int,
    sharedIntermediateSize: Int? = nil, normalizesWeights: Bool
  ) throws(CheckpointError) {
    let names = ["num_local_experts", "num_experts", "n_routed_experts"].filter { file[$0] != nil }
    expertCount = try file.size(names.first ?? "num_local_experts", default: defaults.experts)
    if let first = names.first, let last = names.last, try file.size(last) != expertCount {
      throw file.error(.malformed, "\"\(first)\" and \"\(last)\" differ")
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
