internal import Checkpoints
internal import Models
internal import Tensors

/// The backward pass through one layer's attention.
struct AttentionGradient {
  private let model: Model
  private let layer: TensorLayout.Layer
  private let attention: Attention

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    self.model = model
    self.layer = model.layout.layers[layer]
    attention = try Attention(model, layer: layer)
  }

  /// Propagates a loss's gradient from the states after attention to those that enter it, in place.
  ///
  /// - Parameters:
  ///   - checkpoint: Called between its steps; may throw to end the work.
  ///   - observe: Given the sites: role, no expert, inputs, gradients, tokens.
  func propagate(
    _ gradient: Matrix, through states: Matrix, batch: WindowBatch, rotary: RotaryEmbedding,
    checkpoint: () throws -> Void, _ observe: (Role, Int?, Matrix, Matrix, [Int32]) throws -> Void
  ) throws {
    let heads = try throughHeads(gradient, states, batch, rotary)
    let projected = heads.projectedGradient
    let tokens = (0..<Int32(states.rows)).map(\.self)
    try checkpoint()
    try observe(.output, nil, heads.context, gradient, tokens)
    try observe(.query, nil, heads.normed, projected[columns: attention.queryColumns], tokens)
    try observe(.key, nil, heads.normed, projected[columns: attention.keyColumns], tokens)
    try observe(.value, nil, heads.normed, projected[columns: attention.valueColumns], tokens)
    try checkpoint()
    let projections = try TransposedWeights([layer.query, layer.key, layer.value], of: model)
    let groups = batch.groups(ofTokens: ForwardPass.groupTokens)
    Parallelism.forEach(groups.count) { index in
      let all = batch.group(groups[index]).all
      let normedGradient = Matrix(unfilled: all.count, columns: states.columns)
      Profile.measure(.attentionProjections) { projections.multiply(projected[rows: all], into: normedGradient) }
      normalizeGradient(
        states[rows: all], weight: attention.norm, epsilon: attention.configuration.normEpsilon,
        gradient: normedGradient, addingTo: gradient[rows: all])
    }
  }

  /// The normed states, what the heads gather, and the gradient at queries, keys and values side by side.
  private func throughHeads(
    _ gradient: Matrix, _ states: Matrix, _ batch: WindowBatch, _ rotary: RotaryEmbedding
  ) throws(CheckpointError) -> (normed: Matrix, context: Matrix, projectedGradient: Matrix) {
    let output = try TransposedWeights([layer.output], of: model)
    let (queries, keys, values) = (attention.queryColumns, attention.keyColumns, attention.valueColumns)
    let count = states.rows
    let normed = Matrix(unfilled: count, columns: states.columns)
    let context = Matrix(unfilled: count, columns: queries.count)
    let projectedGradient = Matrix(unfilled: count, columns: values.upperBound)
    let groups = batch.groups(ofTokens: ForwardPass.groupTokens)
    Parallelism.forEach(groups.count) { index in
      let group = batch.group(groups[index])
      let all = group.all
      attention.normalizeStates(states[rows: all], into: normed[rows: all])
      let plain = attention.projectNormed(normed[rows: all])
      let projected = plain.copy()
      attention.normalizeHeads(projected)
      let contextGradient = Matrix(unfilled: all.count, columns: queries.count)
      Profile.measure(.attentionProjections) {
        output.multiply(gradient[rows: all], into: contextGradient)
      }
      let result = projectedGradient[rows: all]
      for (window, rows) in group.windows {
        let (part, partGradient) = (projected[rows: rows], result[rows: rows])
        attention.rotate(part[columns: attention.queryAndKeyColumns], of: window, rotary)
        Profile.measure(.attention) {
          attention.attend(part, of: window, into: context[rows: all][rows: rows])
          propagate(contextGradient[rows: rows], through: part, of: window, into: partGradient)
        }
        attention.rotate(partGradient[columns: attention.queryAndKeyColumns], of: window, rotary, inverse: true)
      }
      attention.propagateHeadNorms(result, through: plain)
    }
    return (normed, context, projectedGradient)
  }

  /// From the gradient at what a window's heads gather to that at its queries, keys and values, which it overwrites.
  private func propagate(
    _ contextGradient: Matrix, through projected: Matrix, of window: WindowBatch.Window, into result: Matrix
  ) {
    let (keys, values) = (attention.textKeys, attention.textValues)
    let seen = result[columns: attention.keyColumns.lowerBound..<attention.valueColumns.upperBound]
    attention.forEachText(projected, of: window) { queries, text in
      let gradient = Matrix(unfilled: text.rows, columns: text.columns)
      attendGradient(
        queries: projected[rows: queries][columns: attention.queryColumns], keys: text[columns: keys],
        values: text[columns: values], dimension: attention.configuration.headDimension, sight: attention.windowSize,
        gradient: contextGradient[rows: queries], queryGradient: result[rows: queries][columns: attention.queryColumns],
        keyGradient: gradient[columns: keys], valueGradient: gradient[columns: values])
      // The beginning's keys and values have a gradient from every text that sees them.
      let before = text.rows - queries.count
      seen[rows: queries].assign(gradient[rows: before..<text.rows])
      addGroupedRows(gradient[rows: 0..<before], group: 1, into: seen[rows: 0..<before])
    }
  }
}
