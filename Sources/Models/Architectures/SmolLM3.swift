internal import Checkpoints

/// SmolLM3: Llama with layers that do not rotate queries and keys (NoPE, arXiv 2501.18795), every fourth.
enum SmolLM3: Architecture {
  static let modelTypes = ["smollm3"]
  static let className = "SmolLM3ForCausalLM"
  static let gguf: GGUFArchitecture? = .init(name: "smollm3", interleavesRows: true, unrotatedInterval: 4)

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file,
      options: .init(
        rotaryBase: 2e6, keyValueHeadCount: 4, computesAttentionBias: true, tiesEmbeddings: true), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    let layers = configuration.layerCount
    let unrotated = try unrotatedLayers(file, layers: layers)
    guard try !file.flag("use_sliding_window", default: false) else {
      throw file.error(.unsupported, "\"use_sliding_window\" is not supported for SmolLM3")
    }
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains, hasProjectionBiases: hasBias, hasOutputBias: hasBias,
      slidingWindows: try SlidingWindows.none(file, layers: layers), unrotatedLayers: unrotated)
    return decoder.layout { _, prefix in decoder.dense(prefix) }
  }

  /// Those that `no_rope_layers` gives a 0, or every `no_rope_layer_interval`-th.
  private static func unrotatedLayers(_ file: Configuration, layers: Int) throws(CheckpointError) -> Set<Int> {
    guard let list = file["no_rope_layers"] else {
      let interval = try file.size("no_rope_layer_interval", default: 4)
      return Set((0..<layers).filter { ($0 + 1) % interval == 0 })
    }
    guard let numbers = list.array?.map(\.integer), numbers.count >= layers, !numbers.contains(nil) else {
      throw file.error(
        .malformed, "\"no_rope_layers\" is not a list of whole numbers, one for each of \(layers) layers")
    }
    return Set((0..<layers).filter { numbers[$0] == 0 })
  }

  static func members(_ configuration: TransformerConfiguration, _ file: Configuration) -> [JSON.Member] {
    [SlidingWindows.switchedOff, JSON.Member(key: "no_rope_layer_interval", value: .integer(4))]
  }
}
