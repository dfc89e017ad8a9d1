internal import Checkpoints

/// What the generations of Gemma have in common.
enum Gemma {
  static let options = TransformerConfiguration.Options(
    keyValueHeadCount: 4, headDimension: 256, computesAttentionBias: true, tiesEmbeddings: true,
    activations: .geluTanh)

  /// Embeddings are multiplied by the square root of their width, norms' weights are stored as what differs from 1, and
  /// scores are divided by the square root of a number of its own.
  ///
  /// - Parameter caps: What an absent key means; null means none.
  static func complete(
    _ configuration: inout TransformerConfiguration, _ file: Configuration, caps: (attention: Double?, logits: Double?)
  ) throws(CheckpointError) {
    guard try !file.flag("use_bidirectional_attention", default: false) else {
      throw file.error(
        .unsupported, "\"use_bidirectional_attention\" is not supported: the model predicts no next token")
    }
    func cap(_ key: String, _ fallback: Double?) throws(CheckpointError) -> Float? {
      if file.isAbsent(key) { return fallback.map(Float.init) }
      return file[key] == nil ? nil : try file.float(key)
    }
    configuration.normOffset = 1
    configuration.multipliers.embedding = Float(configuration.hiddenSize).squareRoot()
    configuration.multipliers.attention = 1 / (try file.float("query_pre_attn_scalar", default: 256)).squareRoot()
    configuration.multipliers.attentionCap = try cap("attn_logit_softcapping", caps.attention)
    configuration.multipliers.logitCap = try cap("final_logit_softcapping", caps.logits)
  }

  /// - Parameter parameters: Beside those of all generations.
  static func gguf(
    _ name: String, slidingPattern: Int, parameters: [GGUFArchitecture.Parameter]
  ) -> GGUFArchitecture {
    GGUFArchitecture(
      name: name, addsOneToNorms: true, slidingPattern: slidingPattern,
      parameters: [.init(key: "attention.sliding_window", member: "sliding_window", isWhole: true, fallback: 4096)]
        + parameters,
      attentionScale: { attentionScale($0, name) })
  }

  /// llama.cpp knows the models whose scores are scaled by the states' width by their number of layers.
  private static func attentionScale(_ configuration: TransformerConfiguration, _ name: String) -> Float {
    let largest = name == "gemma2" ? 46 : 62
    let width =
      configuration.layerCount == largest
      ? configuration.hiddenSize / configuration.heads.count : configuration.heads.dimension
    return 1 / Float(width).squareRoot()
  }

  /// What config.json says where the model comes from a GGUF file.
  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    let keys = ["attn_logit_softcapping", "final_logit_softcapping", "sliding_window"]
    let scale = Double(configuration.multipliers.attention ?? 1 / Float(configuration.heads.dimension).squareRoot())
    return [
      JSON.Member(key: "query_pre_attn_scalar", value: .integer(Int((1 / (scale * scale)).rounded()))),
      JSON.Member(key: "hidden_act", value: .string("gelu_pytorch_tanh")),
      JSON.Member(key: "hidden_activation", value: .string("gelu_pytorch_tanh")),
    ] + keys.map { JSON.Member(key: $0, value: file[$0] ?? .null) }
  }
}
