internal import Checkpoints
internal import Models
internal import Tensors

/// The norms of a mixture whose router, experts and shared expert have norms of their own: what it adds is
/// norm(what the experts make) + norm(what the shared one makes).
struct MixtureNorms: Sendable {
  /// Of the states that the router takes.
  let router: StateNorm
  /// Of those that the experts take.
  let experts: StateNorm
  private let expertsOutput: Matrix
  private let sharedOutput: Matrix
  private let epsilon: Float

  init(_ model: Model, _ layout: TensorLayout.MixtureNorms) throws(CheckpointError) {
    router = try StateNorm(model, layout.router, multiplier: model.configuration.multipliers.router)
    experts = try StateNorm(model, layout.expertsInput)
    expertsOutput = try model.normWeights(layout.expertsOutput)
    sharedOutput = try model.normWeights(layout.sharedOutput)
    epsilon = model.configuration.normEpsilon
  }

  /// Norms both sums, (rows, hidden), and adds the shared one's to the experts'.
  func join(_ experts: Matrix, _ shared: Matrix) {
    normalize(experts, weight: expertsOutput, epsilon: epsilon, into: experts)
    normalize(shared, weight: sharedOutput, epsilon: epsilon, into: shared)
    addGroupedRows(shared, group: 1, into: experts)
  }

  /// From the gradient at what is joined to those at both sums.
  func propagate(_ gradient: Matrix, through experts: Matrix, _ shared: Matrix) -> (experts: Matrix, shared: Matrix) {
    func back(_ sum: Matrix, _ weight: Matrix) -> Matrix {
      let result = Matrix(rows: sum.rows, columns: sum.columns)
      normalizeGradient(sum, weight: weight, epsilon: epsilon, gradient: gradient, addingTo: result)
      return result
    }
    return (back(experts, expertsOutput), back(shared, sharedOutput))
  }
}
