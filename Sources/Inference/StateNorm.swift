internal import Checkpoints
internal import Models
internal import Tensors

/// How a part of a layer takes the states: normed, or as they are where the layer has no norm there.
struct StateNorm: Sendable {
  private let weight: Matrix?
  private let epsilon: Float

  /// - Parameter multiplier: Of what is normed.
  init(_ model: Model, _ norm: TensorReference?, multiplier: Float = 1) throws(CheckpointError) {
    weight = try model.normWeights(norm)
    if let weight, multiplier != 1 { scale(weight, by: multiplier) }
    epsilon = model.configuration.normEpsilon
  }

  /// The same matrix where there is no norm.
  func apply(_ states: Matrix) -> Matrix {
    guard weight != nil else { return states }
    let normed = Matrix(unfilled: states.rows, columns: states.columns)
    apply(states, into: normed)
    return normed
  }

  func apply(_ states: Matrix, into normed: Matrix) {
    guard let weight else { return normed.assign(states) }
    normalize(states, weight: weight, epsilon: epsilon, into: normed)
  }

  /// From the gradient at what is made of the states to that at the states, to which it is added.
  func propagate(_ normedGradient: Matrix, through states: Matrix, addingTo gradient: Matrix) {
    guard let weight else { return addGroupedRows(normedGradient, group: 1, into: gradient) }
    normalizeGradient(states, weight: weight, epsilon: epsilon, gradient: normedGradient, addingTo: gradient)
  }
}
