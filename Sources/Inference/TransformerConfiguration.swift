internal import Checkpoints

/// The numbers that define a decoder-only transformer of the Llama family.
package struct TransformerConfiguration: Sendable {
  package let vocabularySize: Int
  package let hiddenSize: Int
  package let intermediateSize: Int
  package let layerCount: Int
  package let headCount: Int
  package let keyValueHeadCount: Int
  package let headDimension: Int
  package let normEpsilon: Float
  package let rotaryBase: Double
  /// How many keys a query sees, itself included; nil for all before it.
  package let slidingWindow: Int?
  /// Nil for a dense model.
  package internal(set) var mixture: Mixture?
  package let tiesEmbeddings: Bool

  package struct Mixture: Sendable {
    package let expertCount: Int
    package let expertsPerToken: Int
  }

  package var queryWidth: Int { headCount * headDimension }
  package var keyValueWidth: Int { keyValueHeadCount * headDimension }
  package var expertCount: Int { mixture?.expertCount ?? 1 }
  package var expertsPerToken: Int { mixture?.expertsPerToken ?? 1 }

  /// What Hugging Face's configuration class of an architecture takes for a key that config.json leaves out.
  struct Defaults {
    var rotaryBase = 10_000.0
    var normEpsilon = 1e-6
    /// Nil for as many as there are heads, which is also what null means.
    var keyValueHeadCount: Int?
    var slidingWindow: SlidingWindow

    enum SlidingWindow {
      /// The architecture has none, whatever config.json says.
      case none
      case configurable(default: Int?)
    }
  }

  /// Reads the keys that Hugging Face's Llama, Mistral and Mixtral configurations share.
  ///
  /// - Throws: `CheckpointError` when a number is missing or out of range, when numbers contradict each other, and when an
  ///   option is set that this core does not compute.
  init(_ file: Configuration, defaults: Defaults, mixture: Mixture?) throws(CheckpointError) {
    vocabularySize = try file.size("vocab_size")
    hiddenSize = try file.size("hidden_size")
    intermediateSize = try file.size("intermediate_size")
    layerCount = try file.size("num_hidden_layers")
    headCount = try file.size("num_attention_heads")
    keyValueHeadCount = try file.size(
      "num_key_value_heads",
      default: file.isAbsent("num_key_value_heads") ? defaults.keyValueHeadCount ?? headCount : headCount)
    headDimension = try file.size("head_dim", default: max(1, hiddenSize / headCount))
    normEpsilon = Float(try file.number("rms_norm_eps", default: defaults.normEpsilon))
    switch defaults.slidingWindow {
    case .none: slidingWindow = nil
    case .configurable(let size):
      if file["sliding_window"] != nil {
        slidingWindow = try file.size("sliding_window")
      } else {
        slidingWindow = file.isAbsent("sliding_window") ? size : nil
      }
    }
    tiesEmbeddings = try file.flag("tie_word_embeddings", default: false)
    self.mixture = mixture
    rotaryBase = try Self.rotaryBase(file, default: defaults.rotaryBase)

    guard layerCount <= 10_000 else { throw file.error(.malformed, "\"num_hidden_layers\" is \(layerCount)") }
    guard headDimension % 2 == 0 else { throw file.error(.malformed, "the head dimension \(headDimension) is odd") }
    guard headCount % keyValueHeadCount == 0 else {
      throw file.error(.malformed, "\(headCount) heads cannot share \(keyValueHeadCount) key-value heads evenly")
    }
    if let mixture {
      guard mixture.expertsPerToken <= mixture.expertCount, mixture.expertCount <= 100_000 / layerCount else {
        throw file.error(
          .malformed, "\(mixture.expertsPerToken) of \(mixture.expertCount) experts per token is not possible")
      }
    }
    try Self.refuseUnsupported(file)
    let largest = max(
      vocabularySize, intermediateSize, hiddenSize,
      headCount.multipliedReportingOverflow(by: headDimension).partialValue)
    guard !largest.multipliedReportingOverflow(by: hiddenSize * 4).overflow,
      !headCount.multipliedReportingOverflow(by: headDimension).overflow, headCount * headDimension < 1 << 31
    else { throw file.error(.malformed, "its matrices would be too large to count") }
  }

  private static func rotaryBase(_ file: Configuration, default fallback: Double) throws(CheckpointError) -> Double {
    // transformers 5 writes {"rope_parameters": {"rope_theta": …, "rope_type": "default"}}.
    for key in ["rope_parameters", "rope_scaling"] {
      guard let parameters = file[key] else { continue }
      let kind = (parameters["rope_type"] ?? parameters["type"])?.string ?? "default"
      guard kind == "default" else {
        throw file.error(.unsupported, "rotary scaling \"\(kind)\" (\(key)) is not supported")
      }
      if let base = parameters["rope_theta"]?.number {
        guard base.isFinite, base > 0 else { throw file.error(.malformed, "\"rope_theta\" is not a positive number") }
        return base
      }
    }
    return try file.number("rope_theta", default: fallback)
  }

  private static func refuseUnsupported(_ file: Configuration) throws(CheckpointError) {
    if let activation = file["hidden_act"]?.string, activation != "silu", activation != "swish" {
      throw file.error(.unsupported, "the activation \"\(activation)\" is not supported, only silu")
    }
    for key in ["attention_bias", "mlp_bias"] where try file.flag(key, default: false) {
      throw file.error(.unsupported, "\"\(key)\" is not supported")
    }
    if let quantization = file["quantization_config"] {
      let method = quantization["quant_method"]?.string ?? "unknown"
      throw file.error(.unsupported, "its weights are quantised (\(method)); use the original checkpoint")
    }
    if let factor = file["partial_rotary_factor"]?.number, factor != 1 {
      throw file.error(.unsupported, "\"partial_rotary_factor\" \(factor) is not supported")
    }
  }
}
