internal import Checkpoints

/// What Qwen's hybrids have in common: layers of linear attention beside gated attention, norms stored as what differs
/// from 1, a quarter of each head rotated.
enum QwenHybrid {
  static func configuration(
    _ file: Configuration, keyValueHeadCount: Int = 2, mixture: TransformerConfiguration.Mixture?
  ) throws(CheckpointError) -> TransformerConfiguration {
    // Positions of images, which texts do not have.
    var configuration = try TransformerConfiguration(
      file,
      options: .init(
        keyValueHeadCount: keyValueHeadCount, headDimension: 256,
        otherRotaryKeys: ["mrope_section", "mrope_interleaved"], allowsPartialRotation: true, partialRotation: 0.25),
      mixture: mixture)
    configuration.normOffset = 1
    return configuration
  }

  /// - Parameter isFused: Whether queries, keys, values and gates are made by one matrix, key head by key head.
  static func decoder(
    _ configuration: TransformerConfiguration, _ file: Configuration, isFused: Bool,
    contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> DecoderLayout {
    let layers = configuration.layerCount
    let linear = try linearLayers(file, layers: layers)
    let delta = DeltaLayout(shape: try shape(file), hidden: configuration.hiddenSize, isFused: isFused)
    return DecoderLayout(
      configuration: configuration, contains: contains,
      queryKeyNorms: .eachHead, isGated: true,
      otherAttention: { layer, prefix in
        linear.contains(layer) ? .delta(delta.layout(prefix + "linear_attn.")) : nil
      },
      slidingWindows: Array(repeating: nil, count: layers))
  }

  /// Those that `layer_types` names, or all but every `full_attention_interval`-th.
  private static func linearLayers(_ file: Configuration, layers: Int) throws(CheckpointError) -> Set<Int> {
    guard let value = file["layer_types"] else {
      let interval = try file.size("full_attention_interval", default: 4)
      return Set((0..<layers).filter { ($0 + 1) % interval != 0 })
    }
    guard let types = value.array?.compactMap(\.string), types.count == layers, value.array?.count == layers,
      types.allSatisfy({ ["linear_attention", "full_attention"].contains($0) })
    else {
      throw file.error(
        .malformed, "\"layer_types\" is not \"linear_attention\" or \"full_attention\" for each of \(layers) layers")
    }
    return Set((0..<layers).filter { types[$0] == "linear_attention" })
  }

  private static func shape(_ file: Configuration) throws(CheckpointError) -> DeltaShape {
    func size(_ key: String, _ fallback: Int) throws(CheckpointError) -> Int {
      let size = try file.size(key, default: fallback)
      guard size <= 1 << 14 else { throw file.error(.malformed, "\"\(key)\" is \(size)") }
      return size
    }
    let shape = DeltaShape(
      keyHeadCount: try size("linear_num_key_heads", 16), valueHeadCount: try size("linear_num_value_heads", 32),
      keyDimension: try size("linear_key_head_dim", 128), valueDimension: try size("linear_value_head_dim", 128),
      convolutionWidth: try size("linear_conv_kernel_dim", 4))
    guard shape.valueHeadCount % shape.keyHeadCount == 0 else {
      throw file.error(
        .malformed, "\(shape.valueHeadCount) heads of values cannot share \(shape.keyHeadCount) of keys evenly")
    }
    // A state is made whatever the files hold.
    guard shape.valueHeadCount * shape.keyDimension * shape.valueDimension <= 1 << 26 else {
      throw file.error(.malformed, "the states of its linear attention would be too large")
    }
    return shape
  }
}
