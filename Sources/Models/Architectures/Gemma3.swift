internal import Checkpoints

/// Gemma 3 (arXiv 2503.19786), its text model: Gemma 2 with norms of queries and keys instead of caps, a full layer after
/// five with a sliding window, and a rotation of their own for those.
enum Gemma3: Architecture {
  static let modelTypes = ["gemma3_text"]
  static let className = "Gemma3ForCausalLM"
  static let gguf: GGUFArchitecture? = Gemma.gguf(
    "gemma3", slidingPattern: 6,
    parameters: [.init(key: "rope.freq_base_swa", member: "rope_local_base_freq", fallback: 1e4)])

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    var options = Gemma.options
    options.rotaryBase = 1e6
    let rotary = try LayeredRotation(file, base: 1e6, slidingBase: 1e4, slidingBaseKey: "rope_local_base_freq")
    var configuration = try TransformerConfiguration(rotary.full, options: options, mixture: nil)
    configuration.slidingRotary = try rotary.sliding(headDimension: configuration.heads.dimension)
    try Gemma.complete(&configuration, file, caps: (attention: nil, logits: nil))
    // transformers hands the cap to no kernel.
    guard configuration.multipliers.attentionCap == nil else {
      throw file.error(.unsupported, "\"attn_logit_softcapping\" is not supported for Gemma 3")
    }
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let pattern = try file.size("sliding_window_pattern", default: 6)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      queryKeyNorms: .eachHead, norms: .around,
      slidingWindows: try SlidingWindows.patterned(
        file, layers: configuration.layerCount, default: 4096, slides: { ($0 + 1) % pattern != 0 }))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    let local = configuration.slidingRotary.map { JSON.number($0.base) } ?? .null
    return Gemma.members(configuration, file) + [JSON.Member(key: "rope_local_base_freq", value: local)]
  }
}
