internal import Checkpoints

/// How far each layer's queries see, as the configurations of Hugging Face say it.
enum SlidingWindows {
  /// All layers see everything before them. A configuration that says otherwise is refused.
  static func none(_ file: Configuration, layers: Int) throws(CheckpointError) -> [Int?] {
    try refuseOtherLayerTypes(file, Array(repeating: nil, count: layers))
  }

  /// The same `sliding_window` for all layers; null means none.
  ///
  /// - Parameter fallback: What an absent key means.
  static func uniform(
    _ file: Configuration, layers: Int, default fallback: Int?
  ) throws(CheckpointError) -> [Int?] {
    let size = file.isAbsent("sliding_window") ? fallback : try optionalSize(file)
    return try refuseOtherLayerTypes(file, Array(repeating: size, count: layers))
  }

  /// Qwen's: `sliding_window` counts only where `use_sliding_window` is true, and only in the layers that `layer_types`
  /// names, or, without that key, in those of the architecture's pattern.
  ///
  /// - Parameter slides: Given a layer and `max_window_layers`.
  static func switched(
    _ file: Configuration, layers: Int, slides: (_ layer: Int, _ maximum: Int) -> Bool
  ) throws(CheckpointError) -> [Int?] {
    guard try file.flag("use_sliding_window", default: false) else { return try none(file, layers: layers) }
    let maximum = file["max_window_layers"]?.integer ?? 28
    return try patterned(file, layers: layers, default: 4096) { layer in slides(layer, maximum) }
  }

  /// `sliding_window` in the layers that `layer_types` names, or, without that key, in those from `max_window_layers` on.
  ///
  /// - Parameter fullLayers: What an absent `max_window_layers` means.
  static func beyond(_ file: Configuration, layers: Int, fullLayers: Int) throws(CheckpointError) -> [Int?] {
    let first = try file.count("max_window_layers", default: fullLayers)
    return try patterned(file, layers: layers, default: 4096) { layer in layer >= first }
  }

  /// `sliding_window` in the layers that `layer_types` names, or, without that key, in those of the architecture's
  /// pattern.
  ///
  /// - Parameters:
  ///   - fallback: What an absent `sliding_window` means.
  ///   - slides: Whether a layer has a window by the pattern.
  static func patterned(
    _ file: Configuration, layers: Int, default fallback: Int, slides: (_ layer: Int) -> Bool
  ) throws(CheckpointError) -> [Int?] {
    let size = file.isAbsent("sliding_window") ? fallback : try optionalSize(file)
    let types = try layerTypes(file, layers: layers)
    var result: [Int?] = []
    for layer in 0..<layers {
      let isSliding: Bool
      switch types?[layer] {
      case "sliding_attention": isSliding = true
      case "full_attention": isSliding = false
      case let type?: throw unsupported(file, type, layer)
      case nil: isSliding = size != nil && slides(layer)
      }
      if isSliding, size == nil {
        throw file.error(.malformed, "\"layer_types\" asks for sliding attention but \"sliding_window\" is null")
      }
      result.append(isSliding ? size : nil)
    }
    return result
  }

  /// What Qwen's configurations say where no layer has a window.
  static let switchedOff = JSON.Member(key: "use_sliding_window", value: .boolean(false))

  private static func optionalSize(_ file: Configuration) throws(CheckpointError) -> Int? {
    file["sliding_window"] == nil ? nil : try file.size("sliding_window")
  }

  private static func refuseOtherLayerTypes(
    _ file: Configuration, _ windows: [Int?]
  ) throws(CheckpointError) -> [Int?] {
    guard let types = try layerTypes(file, layers: windows.count) else { return windows }
    for (layer, type) in types.enumerated()
    where type != (windows[layer] == nil ? "full_attention" : "sliding_attention") {
      throw unsupported(file, type, layer)
    }
    return windows
  }

  private static func layerTypes(_ file: Configuration, layers: Int) throws(CheckpointError) -> [String]? {
    guard let value = file["layer_types"] else { return nil }
    guard let types = value.array?.compactMap(\.string), types.count == layers, value.array?.count == layers else {
      throw file.error(.malformed, "\"layer_types\" is not a list of one name for each of \(layers) layers")
    }
    return types
  }

  private static func unsupported(_ file: Configuration, _ type: String, _ layer: Int) -> CheckpointError {
    file.error(
      .unsupported, "\"\(type)\" (\"layer_types\", layer \(layer)) is not supported with the rest of this configuration"
    )
  }
}
