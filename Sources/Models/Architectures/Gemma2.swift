internal import Checkpoints

/// Gemma 2 (arXiv 2408.00118): norms around attention and feed-forward layers, GeGLU, capped scores and logits, a sliding
/// window in every second layer.
enum Gemma2: Architecture {
  static let modelTypes = ["gemma2"]
  static let className = "Gemma2ForCausalLM"
  static let gguf: GGUFArchitecture? = Gemma.gguf(
    "gemma2", slidingPattern: 2,
    parameters: [
      .init(key: "attn_logit_softcapping", member: "attn_logit_softcapping", fallback: 50),
      .init(key: "final_logit_softcapping", member: "final_logit_softcapping", fallback: 30),
    ])

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    var configuration = try TransformerConfiguration(file, options: Gemma.options, mixture: nil)
    try Gemma.complete(&configuration, file, caps: (attention: 50, logits: 30))
    return configuration
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      norms: .around,
      slidingWindows: try SlidingWindows.patterned(
        file, layers: configuration.layerCount, default: 4096, slides: { ($0 + 1) % 2 != 0 }))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    Gemma.members(configuration, file)
  }
}
