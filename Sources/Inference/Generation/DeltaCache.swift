internal import Models
internal import Tensors

/// What linear attention keeps of a text: the states of its heads, and what its convolution sees of the last tokens.
final class DeltaCache {
  /// (heads · keys, values)
  let state: Matrix
  /// (width − 1, channels)
  let history: Matrix

  init(_ shape: DeltaShape) {
    state = Matrix(rows: shape.stateRows, columns: shape.valueDimension)
    history = Matrix(rows: shape.convolutionWidth - 1, columns: shape.channelCount)
  }
}
