internal import Tensors

/// The part of a layer in which tokens see those before them.
protocol TokenMixer: Sendable {
  /// states += what the layer adds, for neighbouring windows and their rows, counted from the first of `states`.
  func apply(to states: Matrix, windows: [(window: WindowBatch.Window, rows: Range<Int>)], rotary: RotaryEmbeddings)

  /// The same for the next tokens of a text; the cache has what its earlier ones left, and keeps what these leave.
  func apply(to states: Matrix, continuing cache: TextCache, rotary: RotaryEmbeddings)
}

/// What one layer keeps of a text that is continued.
enum TextCache {
  case heads(KeyValueCache)
  case delta(DeltaCache)
}
