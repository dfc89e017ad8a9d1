internal import Checkpoints
internal import Models

extension Model {
  func mixer(layer: Int) throws(CheckpointError) -> any TokenMixer {
    if case .delta(let delta) = layout.layers[layer].attention { return try DeltaNet(self, layer: layer, delta) }
    return try Attention(self, layer: layer)
  }

  /// - Parameter capacity: The tokens that the text may have in the end.
  func newCache(layer: Int, capacity: Int) -> TextCache {
    if case .delta(let delta) = layout.layers[layer].attention { return .delta(DeltaCache(delta.shape)) }
    let heads = configuration.heads(window: layout.layers[layer].slidingWindow)
    return .heads(
      KeyValueCache(capacity: capacity, keyWidth: heads.keyWidth, valueWidth: heads.valueWidth))
  }
}
