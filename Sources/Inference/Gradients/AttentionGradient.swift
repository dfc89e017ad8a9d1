internal import Checkpoints
internal import Models
internal import Tensors

/// The backward pass through one layer's attention.
struct AttentionGradient {
  private let attention: Attention
  /// (hidden, queries + 2 · keys) and (queries, hidden): the transposes of what the forward pass multiplies with.
  private let projections: PackedMatrix
  private let output: PackedMatrix

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    attention = try Attention(model, layer: layer)
    let layout = model.layout.layers[layer]
    let parts = [layout.query, layout.key, layout.value]
    let stacked = Matrix(unfilled: parts.reduce(0) { $0 + $1.rows }, columns: layout.query.columns)
    var start = 0
    for part in parts {
      try model.decode(part, rows: 0..<part.rows, into: stacked[rows: start..<start + part.rows])
      start += part.rows
    }
    projections = PackedMatrix(transposing: stacked)
    output = PackedMatrix(transposing: try model.weights(layout.output))
  }

  /// Propagates a loss's gradient from the states after attention to those that enter it, in place.
  ///
  /// - Parameter observe: Given the sites: role, no expert, inputs, gradients, tokens.
  func propagate(
    _ gradient: Matrix, through states: Matrix, batch: WindowBatch, rotary: RotaryEmbedding,
    _ observe: (Role, Int?, Matrix, Matrix, [Int32]) throws -> Void
  ) throws {
    let (queries, keys, values) = (attention.queryColumns, attention.keyColumns, attention.valueColumns)
    let count = states.rows
    let normed = Matrix(unfilled: count, columns: states.columns)
    let context = Matrix(unfilled: count, columns: queries.count)
    let projectedGradient = Matrix(unfilled: count, columns: values.upperBound)
    let groups = batch.groups(ofTokens: ForwardPass.groupTokens)
    Parallelism.forEach(groups.count) { index in
      let (all, windows) = batch.rows(of: groups[index])
      attention.normalizeStates(states[rows: all], into: normed[rows: all])
      let plain = attention.projectNormed(normed[rows: all])
      let projected = plain.copy()
      attention.normalizeHeads(projected)
      let contextGradient = Matrix(unfilled: all.count, columns: queries.count)
      Profile.measure(.attentionProjections) {
        multiply(gradient[rows: all], transposed: output, into: contextGradient)
      }
      let result = projectedGradient[rows: all]
      for window in windows {
        let part = projected[rows: window]
        attention.rotate(part[columns: attention.queryAndKeyColumns], rotary, from: 0)
        Profile.measure(.attention) {
          attention.attend(part, into: context[rows: all][rows: window])
          attendGradient(
            queries: part[columns: queries], keys: part[columns: keys], values: part[columns: values],
            dimension: attention.configuration.headDimension, sight: attention.windowSize,
            gradient: contextGradient[rows: window], queryGradient: result[rows: window][columns: queries],
            keyGradient: result[rows: window][columns: keys], valueGradient: result[rows: window][columns: values])
        }
        attention.rotate(result[rows: window][columns: attention.queryAndKeyColumns], rotary, from: 0, inverse: true)
      }
      attention.propagateHeadNorms(result, through: plain)
    }
    let tokens = (0..<Int32(count)).map(\.self)
    try observe(.output, nil, context, gradient, tokens)
    try observe(.query, nil, normed, projectedGradient[columns: queries], tokens)
    try observe(.key, nil, normed, projectedGradient[columns: keys], tokens)
    try observe(.value, nil, normed, projectedGradient[columns: values], tokens)
    Parallelism.forEach(groups.count) { index in
      let all = batch.rows(of: groups[index]).all
      let normedGradient = Matrix(unfilled: all.count, columns: states.columns)
      Profile.measure(.attentionProjections) {
        multiply(projectedGradient[rows: all], transposed: projections, into: normedGradient)
      }
      normalizeGradient(
        states[rows: all], weight: attention.norm, epsilon: attention.configuration.normEpsilon,
        gradient: normedGradient, addingTo: gradient[rows: all])
    }
  }
}
