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
    _ gradient: Matrix, through states: Matrix, batch: WindowBatch, rotary: RotaryEmbeddings,
    checkpoint: () throws -> Void, _ observe: (Role, Int?, Matrix, Matrix, [Int32]) throws -> Void
  ) throws {
    let heads = try throughHeads(gradient, states, batch, rotary)
    let tokens = (0..<Int32(states.rows)).map(\.self)
    func report(_ role: Role, _ inputs: Matrix, _ gradients: Matrix) throws {
      try observe(role, nil, inputs, gradients, tokens)
    }
    try checkpoint()
    try report(.output, heads.context, heads.outputGradient)
    let groups = batch.groups(ofTokens: ForwardPass.groupTokens).map { batch.group($0).all }
    let parts: [(gradients: Matrix, weights: TransposedWeights)]
    switch attention.projections {
    case .direct(let projections):
      let layout = projections.layout
      let projected = heads.projectedGradient
      let queries = projected[columns: attention.queryColumns]
      let queryGradient = heads.gateGradient.map { projections.joined(queries: queries, gates: $0) }
      try report(.query, heads.normed, queryGradient ?? queries)
      let (keys, values) = (projected[columns: attention.keyColumns], projected[columns: attention.valueColumns])
      if layout.hasValues {
        try report(.key, heads.normed, keys)
        try report(.value, heads.normed, values)
      } else {
        let both = keys.copy()
        addGroupedRows(values.copy(), group: 1, into: both)
        try report(.key, heads.normed, both)
      }
      try checkpoint()
      if let queryGradient {
        let rest = projected[columns: attention.keyColumns.lowerBound..<attention.valueColumns.upperBound]
        parts = [
          (queryGradient, try TransposedWeights([layout.query], of: model)),
          (rest, try TransposedWeights([layout.key, layout.value], of: model)),
        ]
      } else {
        parts = [(projected, try TransposedWeights([layout.query, layout.key, layout.value], of: model))]
      }
    case .latent(let projections):
      parts = try propagate(heads, projections, groups, checkpoint: checkpoint, report)
    }
    Parallelism.forEach(groups.count) { index in
      let rows = groups[index]
      let normedGradient = Matrix(rows: rows.count, columns: states.columns)
      Profile.measure(.attentionProjections) {
        for (number, part) in parts.enumerated() {
          part.weights.multiply(part.gradients[rows: rows], adding: number > 0, into: normedGradient)
        }
      }
      attention.norm.propagate(normedGradient, through: states[rows: rows], addingTo: gradient[rows: rows])
    }
  }

  /// Through latents; returns the gradients at what is made of the normed states, with the matrices that make it.
  private func propagate(
    _ heads: Heads, _ projections: LatentProjections, _ groups: [Range<Int>],
    checkpoint: () throws -> Void, _ observe: (Role, Matrix, Matrix) throws -> Void
  ) throws -> [(gradients: Matrix, weights: TransposedWeights)] {
    let (layout, count) = (projections.layout, heads.normed.rows)
    let query = try TransposedWeights([layout.query], of: model)
    let keyValueUp = try TransposedWeights([layout.keyValueUp], of: model)
    let queryLatent = Matrix(unfilled: layout.queryDown == nil ? 0 : count, columns: layout.query.columns)
    let queryLatentGradient = Matrix(unfilled: queryLatent.rows, columns: queryLatent.columns)
    let keyValueLatent = Matrix(unfilled: count, columns: layout.keyValueUp.columns)
    let keyValueLatentGradient = Matrix(unfilled: count, columns: layout.keyValueDown.matrix.rows)
    let expandedGradient = Matrix(unfilled: count, columns: layout.keyValueUp.rows)
    Parallelism.forEach(groups.count) { index in
      let rows = groups[index]
      let steps = projections.steps(heads.normed[rows: rows])
      let made = projections.propagate(
        heads.projectedGradient[rows: rows], through: steps, query: query, keyValueUp: keyValueUp)
      if let latent = steps.queryLatent { queryLatent[rows: rows].assign(latent.normed) }
      if let gradient = made.queryLatent { queryLatentGradient[rows: rows].assign(gradient) }
      keyValueLatent[rows: rows].assign(steps.keyValueLatent.normed)
      keyValueLatentGradient[rows: rows].assign(made.keyValueLatent)
      expandedGradient[rows: rows].assign(made.expanded)
    }
    try checkpoint()
    let queries = heads.projectedGradient[columns: attention.queryColumns]
    try observe(.keyValueUp, keyValueLatent, expandedGradient)
    try observe(.keyValueDown, heads.normed, keyValueLatentGradient)
    let down = (keyValueLatentGradient, try TransposedWeights([layout.keyValueDown.matrix], of: model))
    guard let queryDown = layout.queryDown else {
      try observe(.query, heads.normed, queries)
      return [down, (queries, query)]
    }
    try observe(.queryUp, queryLatent, queries)
    try observe(.queryDown, heads.normed, queryLatentGradient)
    try checkpoint()
    return [down, (queryLatentGradient, try TransposedWeights([queryDown.matrix], of: model))]
  }

  private struct Heads {
    /// The normed states.
    let normed: Matrix
    /// What the heads gather, as the output projection takes it.
    let context: Matrix
    /// The gradient at what the output projection makes of that.
    let outputGradient: Matrix
    /// The gradient at queries, keys and values side by side.
    let projectedGradient: Matrix
    /// The gradient at the gates of what is gathered; nil without gates.
    let gateGradient: Matrix?
  }

  private func throughHeads(
    _ gradient: Matrix, _ states: Matrix, _ batch: WindowBatch, _ rotary: RotaryEmbeddings
  ) throws(CheckpointError) -> Heads {
    let output = try TransposedWeights([layer.attention.output.matrix], of: model)
    let rotary = rotary[layer]
    let width = attention.heads.contextWidth
    let count = states.rows
    let normed = Matrix(unfilled: count, columns: states.columns)
    let context = Matrix(unfilled: count, columns: width)
    let outputGradient = Matrix(unfilled: count, columns: states.columns)
    let isGated = layer.attention.heads?.isGated ?? false
    let gateGradient = isGated ? Matrix(unfilled: count, columns: width) : nil
    let projectedGradient = Matrix(unfilled: count, columns: attention.heads.projectionWidth)
    let groups = batch.groups(ofTokens: ForwardPass.groupTokens)
    Parallelism.forEach(groups.count) { index in
      let group = batch.group(groups[index])
      let all = group.all
      normed[rows: all].assign(attention.norm.apply(states[rows: all]))
      let projected: Matrix
      var gates: Matrix?
      var unnormed: (heads: Matrix, projections: DirectProjections)?
      switch attention.projections {
      case .direct(let projections):
        let (plain, gatesOfAll) = projections.project(normed[rows: all])
        gates = gatesOfAll
        projected = plain.copy()
        projections.normalizeHeads(projected)
        unnormed = (plain, projections)
      case .latent(let projections): projected = projections.project(normed[rows: all])
      }
      for (window, rows) in group.windows {
        let part = projected[rows: rows]
        attention.rotate(part[columns: attention.queryAndKeyColumns], of: window, rotary)
        Profile.measure(.attention) { attention.attend(part, of: window, into: context[rows: all][rows: rows]) }
      }
      let gathered = gates.map { _ in context[rows: all].copy() }
      if let gates { multiplyBySigmoids(context[rows: all], gates) }
      outputGradient[rows: all].assign(
        attention.branch.propagate(
          gradient[rows: all],
          through: attention.branch.isNormed ? attention.outputs(of: context[rows: all]) : nil))
      let contextGradient = Matrix(unfilled: all.count, columns: width)
      Profile.measure(.attentionProjections) {
        output.multiply(outputGradient[rows: all], into: contextGradient)
      }
      if let gates, let gathered {
        propagateSigmoids(contextGradient, through: gathered, gates)
        gateGradient?[rows: all].assign(gates)
      }
      let result = projectedGradient[rows: all]
      for (window, rows) in group.windows {
        let (part, partGradient) = (projected[rows: rows], result[rows: rows])
        Profile.measure(.attention) {
          propagate(contextGradient[rows: rows], through: part, of: window, into: partGradient)
        }
        attention.rotate(partGradient[columns: attention.queryAndKeyColumns], of: window, rotary, inverse: true)
      }
      if let unnormed { unnormed.projections.propagateHeadNorms(result, through: unnormed.heads) }
    }
    return Heads(
      normed: normed, context: context, outputGradient: outputGradient, projectedGradient: projectedGradient,
      gateGradient: gateGradient)
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
        values: text[columns: values], scoring: attention.scoring, gradient: contextGradient[rows: queries],
        queryGradient: result[rows: queries][columns: attention.queryColumns],
        keyGradient: gradient[columns: keys], valueGradient: gradient[columns: values])
      // The beginning's keys and values have a gradient from every text that sees them.
      let before = text.rows - queries.count
      seen[rows: queries].assign(gradient[rows: before..<text.rows])
      addGroupedRows(gradient[rows: 0..<before], group: 1, into: seen[rows: 0..<before])
    }
  }
}
