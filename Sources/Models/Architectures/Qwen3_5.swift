internal import Checkpoints

/// Qwen3.5, dense, the text model.
enum Qwen3_5: Architecture {
  static let modelTypes = ["qwen3_5_text"]
  static let className = "Qwen3_5ForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try QwenHybrid.configuration(file, keyValueHeadCount: 4, mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = try QwenHybrid.decoder(configuration, file, isFused: false, contains: contains)
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }
}
