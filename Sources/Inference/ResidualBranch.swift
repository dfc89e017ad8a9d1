internal import Checkpoints
internal import Models
internal import Tensors

/// How what attention or a feed-forward layer makes is added to the states: states += multiplier · norm(result), the norm
/// where the layer has one; and what multiplies the sum.
struct ResidualBranch: Sendable {
  private let norm: Matrix?
  private let epsilon: Float
  private let multiplier: Float
  private let outputScale: Float

  /// - Parameter outputScale: One number that multiplies the states in the end; nil for 1.
  init(_ model: Model, norm: TensorReference?, outputScale: TensorReference? = nil) throws(CheckpointError) {
    self.outputScale = try outputScale.map { scale throws(CheckpointError) in try model.weights(scale)[0, 0] } ?? 1
    self.norm = try model.normWeights(norm)
    epsilon = model.configuration.normEpsilon
    multiplier = model.configuration.multipliers.residual
  }

  /// Whether the way back needs what was added.
  var isNormed: Bool { norm != nil }

  /// - Parameter result: (rows, hidden); used up.
  func add(_ result: Matrix, to states: Matrix) {
    if let norm { normalize(result, weight: norm, epsilon: epsilon, into: result) }
    scale(result, by: multiplier)
    addGroupedRows(result, group: 1, into: states)
    scale(states, by: outputScale)
  }

  /// The gradient at the result from that at the states; the same matrix where nothing lies between. That at the states
  /// becomes the one at the states before.
  ///
  /// - Parameter result: What was added, before the norm; needed where there is one.
  func propagate(_ gradient: Matrix, through result: Matrix?) -> Matrix {
    scale(gradient, by: outputScale)
    guard norm != nil || multiplier != 1 else { return gradient }
    let back = gradient.copy()
    scale(back, by: multiplier)
    guard let norm, let result else { return back }
    let before = Matrix(rows: back.rows, columns: back.columns)
    normalizeGradient(result, weight: norm, epsilon: epsilon, gradient: back, addingTo: before)
    return before
  }
}
