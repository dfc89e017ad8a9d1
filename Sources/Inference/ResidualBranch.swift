internal import Checkpoints
internal import Models
internal import Tensors

/// How what attention or a feed-forward layer makes is added to the states: states += multiplier · norm(result), the norm
/// where the layer has one.
struct ResidualBranch: Sendable {
  private let norm: Matrix?
  private let epsilon: Float
  private let multiplier: Float

  init(_ model: Model, norm: TensorReference?) throws(CheckpointError) {
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
  }

  /// The gradient at the result from that at the states; the same matrix where nothing lies between.
  ///
  /// - Parameter result: What was added, before the norm; needed where there is one.
  func propagate(_ gradient: Matrix, through result: Matrix?) -> Matrix {
    guard norm != nil || multiplier != 1 else { return gradient }
    let back = gradient.copy()
    scale(back, by: multiplier)
    guard let norm, let result else { return back }
    let before = Matrix(rows: back.rows, columns: back.columns)
    normalizeGradient(result, weight: norm, epsilon: epsilon, gradient: back, addingTo: before)
    return before
  }
}
