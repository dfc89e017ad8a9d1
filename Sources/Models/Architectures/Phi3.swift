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
    let (queries, keys) = (configuration.queryWidth, configuration.keyValueWidth)
    var layout = decoder.layout { _, prefix in
      func half(_ rows: Range<Int>) -> TensorReference {
        TensorReference(name: prefix + "gate_up_proj.weight", shape: (2 * intermediate, hidden), rows: rows)
      }
      let expert = TensorLayout.Expert(
        gate: half(0..<intermediate), up: half(intermediate..<2 * intermediate),
        down: decoder.matrix(prefix + "down_proj.weight", hidden, intermediate))
      return (nil, [expert], nil)
    }
    for layer in layout.layers.indices {
      func part(_ start: Int, _ count: Int) -> TensorReference {
        TensorReference(
          name: "model.layers.\(layer).self_attn.qkv_proj.weight", shape: (queries + 2 * keys, hidden),
          rows: start..<start + count)
      }
      layout.layers[layer].query = part(0, queries)
      layout.layers[layer].key = part(queries, keys)
      layout.layers[layer].value = part(queries + keys, keys)
    }
    return layout
  }
}
