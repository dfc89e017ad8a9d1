internal import Checkpoints
internal import Models
internal import Tensors

/// What makes queries, keys and values of normed states, side by side, (rows, queries + keys + values), normed where the
/// layer norms them and not yet rotated.
enum HeadProjections {
  case direct(DirectProjections)
  case latent(LatentProjections)

  init(_ model: Model, _ layout: TensorLayout.AttentionKind, _ shape: HeadShape) throws(CheckpointError) {
    switch layout {
    case .heads(let heads): self = .direct(try DirectProjections(model, heads, shape))
    case .latent(let latent): self = .latent(try LatentProjections(model, latent, shape))
    case .delta: preconditionFailure("a layer of linear attention")
    }
  }

  /// With the gates of what heads gather, (rows, context), where there are any.
  func project(_ normed: Matrix) -> (projected: Matrix, gates: Matrix?) {
    switch self {
    case .direct(let projections):
      let (projected, gates) = projections.project(normed)
      projections.normalizeHeads(projected)
      return (projected, gates)
    case .latent(let projections): return (projections.project(normed), nil)
    }
  }
}

/// A matrix for queries, one for keys and one for values, with biases and norms where the layer has them.
struct DirectProjections {
  let layout: TensorLayout.HeadAttention
  /// Query, key and value matrices on top of each other: (queries + keys + values, hidden), as one where they are packed.
  private let weights: [ProductWeights]
  /// Whether the query matrix makes gates too, a head's behind its queries.
  private let isGated: Bool
  /// (1, queries + keys + values)
  private let bias: Matrix?
  private let queryNorm: Matrix?
  private let keyNorm: Matrix?
  private let valueNorm: Matrix?
  private let epsilon: Float
  private let heads: HeadShape

  init(_ model: Model, _ layout: TensorLayout.HeadAttention, _ heads: HeadShape) throws(CheckpointError) {
    self.layout = layout
    self.heads = heads
    epsilon = model.configuration.normEpsilon
    isGated = layout.isGated
    let parts = [layout.query, layout.key, layout.value]
    if model.execution.usesStoredWeights {
      weights = try parts.map { part throws(CheckpointError) in try model.weightsForProducts(part) }
    } else {
      let weights = try parts.map { part throws(CheckpointError) in try model.weight(part) }
      self.weights = [.packed(try model.packed(weights))]
    }
    bias =
      layout.projectionBiases.isEmpty ? nil : Matrix(rows: 1, columns: parts.reduce(0) { $0 + $1.rows })
    var start = 0
    for part in layout.projectionBiases {
      bias?[columns: start..<start + part.columns].assign(try model.weights(part))
      start += part.columns
    }
    queryNorm = try model.normWeights(layout.queryNorm)
    keyNorm = try model.normWeights(layout.keyNorm)
    let ones = Array(repeating: Float(1), count: heads.valueDimension)
    valueNorm = layout.normsValues ? Matrix(rows: 1, columns: ones.count, elements: ones) : nil
  }

  /// Queries, keys and values, their heads not yet normed, and the gates.
  func project(_ normed: Matrix) -> (projected: Matrix, gates: Matrix?) {
    let made = Matrix(unfilled: normed.rows, columns: weights.reduce(0) { $0 + $1.rows })
    Profile.measure(.attentionProjections) {
      var start = 0
      for part in weights {
        multiply(normed, transposed: part, into: made[columns: start..<start + part.rows])
        start += part.rows
      }
    }
    if let bias { addRow(bias, to: made) }
    guard isGated else { return (made, nil) }
    let queries = heads.queryWidth
    let projected = Matrix(unfilled: normed.rows, columns: heads.projectionWidth)
    let gates = Matrix(unfilled: normed.rows, columns: queries)
    forEachGatedHead { head, own, gate in
      projected[columns: head].assign(made[columns: own])
      gates[columns: head].assign(made[columns: gate])
    }
    projected[columns: queries..<projected.columns].assign(made[columns: 2 * queries..<made.columns])
    return (projected, gates)
  }

  /// Gradients at queries and gates as the query matrix makes them, a head's gates behind its queries.
  func joined(queries: Matrix, gates: Matrix) -> Matrix {
    let result = Matrix(unfilled: queries.rows, columns: 2 * heads.queryWidth)
    forEachGatedHead { head, own, gate in
      result[columns: own].assign(queries[columns: head])
      result[columns: gate].assign(gates[columns: head])
    }
    return result
  }

  /// The columns of a head among queries, and those of its queries and of its gates in what the query matrix makes.
  private func forEachGatedHead(_ body: (Range<Int>, Range<Int>, Range<Int>) -> Void) {
    let size = heads.dimension
    for start in stride(from: 0, to: heads.queryWidth, by: size) {
      body(start..<start + size, 2 * start..<2 * start + size, 2 * start + size..<2 * (start + size))
    }
  }

  /// Norms the heads of queries, keys and values, in place, where the layer does that.
  func normalizeHeads(_ projected: Matrix) {
    forEachNormedHead { columns, weight in
      let part = projected[columns: columns]
      normalize(part, weight: weight, epsilon: epsilon, into: part)
    }
  }

  /// From the gradient at normed heads to that at the heads before, in place.
  func propagateHeadNorms(_ gradient: Matrix, through plain: Matrix) {
    forEachNormedHead { columns, weight in
      let result = Matrix(rows: plain.rows, columns: columns.count)
      normalizeGradient(
        plain[columns: columns], weight: weight, epsilon: epsilon,
        gradient: gradient[columns: columns], addingTo: result)
      gradient[columns: columns].assign(result)
    }
  }

  /// The columns that are normed together. The weight's width is that of one head, or of all of them.
  private func forEachNormedHead(_ body: (Range<Int>, Matrix) -> Void) {
    let values = heads.queryWidth + heads.keyWidth
    for (columns, weight) in [
      (0..<heads.queryWidth, queryNorm), (heads.queryWidth..<values, keyNorm),
      (values..<heads.projectionWidth, valueNorm),
    ] {
      guard let weight else { continue }
      for start in stride(from: columns.lowerBound, to: columns.upperBound, by: weight.columns) {
        body(start..<start + weight.columns, weight)
      }
    }
  }
}
