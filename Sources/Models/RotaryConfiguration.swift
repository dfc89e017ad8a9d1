internal import Checkpoints
internal import Glibc

/// How positions rotate queries and keys: base, how many of a head's numbers are rotated, and how frequencies are
/// scaled for longer contexts.
package struct RotaryConfiguration: Sendable {
  package let base: Double
  /// How many of each head's numbers are rotated, the first ones; even.
  package let dimension: Int
  package internal(set) var scaling: Scaling
  /// Whether the two numbers of pair i are interleaved, (2i, 2i + 1), as in GGUF files of Llama, whose rows of queries
  /// and keys are ordered so; else they are half-split, (i, i + dimension / 2).
  package internal(set) var isInterleaved = false

  /// What queries are multiplied by at their positions; nil for 1.
  package internal(set) var growth: Growth?

  /// 1 + β ln(1 + ⌊position / positions⌋)
  package struct Growth: Sendable, Equatable {
    package let beta: Float
    package let positions: Int

    package func factor(at position: Int) -> Float { 1 + beta * Float(log(1 + Double(position / positions))) }
  }

  package enum Scaling: Sendable {
    case none
    /// All frequencies divided by a factor.
    case linear(factor: Double)
    /// Llama 3.1's: low frequencies divided, high ones left, those between interpolated.
    case llama3(factor: Double, lowFrequency: Double, highFrequency: Double, originalPositions: Double)
    /// YaRN (arXiv 2309.00071): a ramp from unchanged to divided frequencies, between pairs `low` and `high`; cosines
    /// and sines are multiplied by `attention`.
    case yarn(factor: Double, low: Double, high: Double, attention: Double)
    /// The first pairs rotate as if all did, the others not at all; frequencies are divided by a factor.
    case proportional(pairs: Int, factor: Double)
    /// Each pair's frequency divided by a factor of its own.
    case divided([Float])

    /// The kinds that config.json's `rope_type` may name.
    static let names = ["linear", "llama3", "yarn"]
  }

  /// Radians per position for each pair, and what cosines and sines are multiplied by.
  ///
  /// Frequencies are rounded to float32 where Hugging Face's are, so that long contexts agree too. Source: transformers
  /// 5, modeling_rope_utils.py.
  package var frequencies: (radians: [Float], attention: Float) {
    let plain = (0..<dimension / 2).map { Float(1 / pow(base, Double(2 * $0) / Double(dimension))) }
    switch scaling {
    case .none: return (plain, 1)
    case .linear(let factor): return (plain.map { Float(Double($0) / factor) }, 1)
    case .llama3(let factor, let low, let high, let positions):
      let scaled = plain.map { frequency in
        let turns = positions * Double(frequency) / (2 * .pi)
        let kept = min(max((turns - low) / (high - low), 0), 1)
        return Float((1 - kept) * Double(frequency) / factor + kept * Double(frequency))
      }
      return (scaled, 1)
    case .yarn(let factor, let low, let high, let attention):
      let scaled = plain.enumerated().map { pair, frequency in
        let kept = 1 - min(max((Double(pair) - low) / (high - low), 0), 1)
        return Float((1 - kept) * Double(frequency) / factor + kept * Double(frequency))
      }
      return (scaled, Float(attention))
    case .proportional(let pairs, let factor):
      return (plain.enumerated().map { $0 < pairs ? Float(Double($1) / factor) : 0 }, 1)
    case .divided(let factors):
      return (zip(plain, factors).map { $0 / $1 }, 1)
    }
  }
}

// MARK: - Reading

extension RotaryConfiguration {
  /// What an architecture computes of rotation, and takes where config.json says nothing.
  struct Options {
    /// The base where config.json has none.
    var base = 10_000.0
    /// Kinds of scaling that are computed.
    var scalings = Scaling.names
    /// The share of each head that is rotated where config.json says nothing.
    var part = 1.0
    /// Whether only a part of each head may be rotated.
    var allowsPart = false
    /// Keys beside those of the kind of scaling that someone else reads.
    var otherKeys: [String] = []
  }

  /// Reads `rope_theta` and `rope_scaling`, or transformers 5's `rope_parameters` (which gives way to `rope_scaling`,
  /// as there).
  ///
  /// - Throws: `CheckpointError` for a kind of scaling, or an option of it, that is not computed.
  init(_ file: Configuration, headDimension: Int, options: Options) throws(CheckpointError) {
    let isScalingEmpty = file["rope_scaling"].map { $0.members?.isEmpty == true } ?? true
    let key = isScalingEmpty ? "rope_parameters" : "rope_scaling"
    let parameters = Configuration(file: file.file, json: file[key] ?? .object([]))
    guard parameters.json.members != nil else { throw file.error(.malformed, "\"\(key)\" is not an object") }
    try self.init(parameters, key, of: file, headDimension: headDimension, options: options)
  }

  /// - Parameters:
  ///   - parameters: The object that says it.
  ///   - key: The object's key in config.json, for messages.
  init(
    _ parameters: Configuration, _ key: String, of file: Configuration, headDimension: Int, options: Options
  ) throws(CheckpointError) {
    let kindKey = parameters["rope_type"] == nil ? "type" : "rope_type"
    let kind = parameters[kindKey] == nil ? "default" : try parameters.string(kindKey)
    guard kind == "default" || options.scalings.contains(kind) else {
      throw file.error(.unsupported, "rotary scaling \"\(kind)\" (\(key)) is not supported for this architecture")
    }
    let known = Self.commonKeys + (Self.keys[kind] ?? []) + options.otherKeys
    if let unknownKey = parameters.json.members?.first(where: { !$0.value.isNull && !known.contains($0.key) }) {
      throw file.error(
        .unsupported, "\"\(unknownKey.key)\" (\(key)) is not supported with rotary scaling \"\(kind)\"")
    }

    let base = try parameters.number("rope_theta", default: file.number("rope_theta", default: options.base))
    let part = try parameters.number(
      "partial_rotary_factor", default: file.number("partial_rotary_factor", default: options.part))
    guard part == 1 || options.allowsPart && part < 1 else {
      throw file.error(.unsupported, "\"partial_rotary_factor\" \(part) is not supported for this architecture")
    }
    // Proportional rotation is counted over whole heads.
    let isProportional = kind == "proportional"
    dimension = isProportional ? headDimension : Int(Double(headDimension) * part)
    guard dimension > 0, dimension % 2 == 0 else {
      throw file.error(.malformed, "\(dimension) of each head's \(headDimension) numbers cannot be rotated in pairs")
    }
    self.base = base
    scaling =
      isProportional
      ? .proportional(
        pairs: Int(part * Double(headDimension) / 2), factor: try parameters.number("factor", default: 1))
      : try Self.scaling(kind, parameters, file, base: base, dimension: dimension)
  }

  private static let commonKeys = ["rope_type", "type", "rope_theta", "partial_rotary_factor"]

  private static let keys = [
    "linear": ["factor"], "proportional": ["factor"],
    "llama3": ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
    "yarn": [
      "factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "mscale",
      "mscale_all_dim", "truncate", "finetuned",
    ],
  ]

  private static func scaling(
    _ kind: String, _ parameters: Configuration, _ file: Configuration, base: Double, dimension: Int
  ) throws(CheckpointError) -> Scaling {
    switch kind {
    case "linear":
      return .linear(factor: try parameters.number("factor"))
    case "llama3":
      let low = try parameters.number("low_freq_factor")
      let high = try parameters.number("high_freq_factor")
      guard low < high else {
        throw file.error(.malformed, "\"low_freq_factor\" \(low) is not below \"high_freq_factor\" \(high)")
      }
      return .llama3(
        factor: try parameters.number("factor"), lowFrequency: low, highFrequency: high,
        originalPositions: try originalPositions(parameters, file))
    case "yarn":
      return try yarn(
        parameters, file, positions: originalPositions(parameters, file), base: base, dimension: Double(dimension))
    default:
      return .none
    }
  }

  private static func yarn(
    _ parameters: Configuration, _ file: Configuration, positions: Double, base: Double, dimension: Double
  ) throws(CheckpointError) -> Scaling {
    // Null, unlike no factor at all, stands for what makes the original positions all of them.
    let factor =
      parameters["factor"] == nil && !parameters.isAbsent("factor")
      ? try file.number("max_position_embeddings") / positions : try parameters.number("factor")
    /// Zero counts as left out, as in Python.
    func optional(_ key: String) throws(CheckpointError) -> Double? {
      parameters[key] == nil || parameters[key]?.number == 0 ? nil : try parameters.number(key)
    }
    /// The pair, as a real number, that makes so many turns over the original positions.
    func pair(turning turns: Double) -> Double {
      dimension * log(positions / (turns * 2 * .pi)) / (2 * log(base))
    }
    var low = pair(turning: try optional("beta_fast") ?? 32)
    var high = pair(turning: try optional("beta_slow") ?? 1)
    if try parameters.flag("truncate", default: true) {
      low = low.rounded(.down)
      high = high.rounded(.up)
    }
    low = max(low, 0)
    high = min(high, dimension - 1)
    if low == high { high += 0.001 }
    guard low.isFinite, high.isFinite else {
      throw parameters.error(.malformed, "its rotary scaling \"yarn\" does not give finite frequencies")
    }

    func magnitude(_ scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }
    var attention = magnitude(1)
    if let scale = try optional("mscale"), let scaleOfAll = try optional("mscale_all_dim") {
      attention = magnitude(scale) / magnitude(scaleOfAll)
    }
    return .yarn(
      factor: factor, low: low, high: high, attention: try parameters.number("attention_factor", default: attention))
  }

  /// The context that the model was first trained with: among the scaling's own keys, or beside them, or else all
  /// positions.
  private static func originalPositions(
    _ parameters: Configuration, _ file: Configuration
  ) throws(CheckpointError) -> Double {
    let key = "original_max_position_embeddings"
    let values = [parameters, file].filter { $0[key] != nil }
    guard let first = values.first else { return try file.number("max_position_embeddings") }
    let positions = try first.number(key)
    for other in values where try other.number(key) != positions {
      throw file.error(.malformed, "\"\(key)\" is given twice and differs")
    }
    return positions
  }
}
