internal import Checkpoints

/// Llama: dense, grouped-query attention, rotary embedding, RMSNorm, SwiGLU.
enum Llama: Architecture {
  static let modelTypes = ["llama"]
  static let className = "LlamaForCausalLM"
  static let gguf: GGUFArchitecture? = .init(name: "llama", interleavesRows: true, hasOutputBias: true)
  static let merged: MergeTarget? = .init(
    mixture: Mixtral.self, defaults: [.init(key: "max_position_embeddings", value: .integer(2048))])

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(file, options: .init(computesAttentionBias: true), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      slidingWindows: try SlidingWindows.none(file, layers: configuration.layerCount))
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
