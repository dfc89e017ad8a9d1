internal import Checkpoints

/// Phi-3 (arXiv 2404.14219) and Phi-4: Llama with queries, keys and values in one matrix, and gate and up projection in
/// one. Its long-context variants ("longrope") are refused.
enum Phi3: Architecture {
  static let modelTypes = ["phi3"]
  static let className = "Phi3ForCausalLM"

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(
      file, options: .init(normEpsilon: 1e-5, rotaryScalings: [], allowsPartialRotation: true), mixture: nil)
  }

  static func layout(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> TensorLayout {
    let decoder = DecoderLayout(
      configuration: configuration, contains: contains,
      slidingWindows: try SlidingWindows.uniform(
        file, layers: configuration.layerCount, default: nil))
    let (hidden, intermediate) = (configuration.hiddenSize, configuration.intermediateSize)
    let (queries, keys) = (configuration.heads.queryWidth, configuration.heads.keyWidth)
    var layout = decoder.layout { _, prefix in
      func half(_ rows: Range<Int>) -> TensorReference {
        TensorReference(name: prefix + "gate_up_proj.weight", shape: (2 * intermediate, hidden), rows: rows)
      }
      let expert = TensorLayout.Expert(
        gate: half(0..<intermediate), up: half(intermediate..<2 * intermediate),
        down: decoder.matrix(prefix + "down_proj.weight", hidden, intermediate))
      return DecoderLayout.FeedForward(experts: [expert])
    }
    for layer in layout.layers.indices {
      func part(_ start: Int, _ count: Int) -> TensorReference {
        TensorReference(
          name: "model.layers.\(layer).self_attn.qkv_proj.weight", shape: (queries + 2 * keys, hidden),
          rows: start..<start + count)
      }
      guard var heads = layout.layers[layer].attention.heads else { continue }
      heads.query = part(0, queries)
      heads.key = part(queries, keys)
      heads.value = part(queries + keys, keys)
      layout.layers[layer].attention = .heads(heads)
    }
    return layout
  }
}
