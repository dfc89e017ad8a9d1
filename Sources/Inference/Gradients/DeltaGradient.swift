internal import Checkpoints
internal import Models
internal import Tensors

/// The backward pass through one layer's linear attention.
struct DeltaGradient {
  private let model: Model
  private let layout: TensorLayout.DeltaAttention
  private let net: DeltaNet

  init(_ model: Model, layer: Int, _ layout: TensorLayout.DeltaAttention) throws(CheckpointError) {
    self.model = model
    self.layout = layout
    net = try DeltaNet(model, layer: layer, layout)
  }

  /// As `AttentionGradient.propagate`.
  func propagate(
    _ gradient: Matrix, through states: Matrix, batch: WindowBatch,
    checkpoint: () throws -> Void, _ observe: (Role, Int?, Matrix, Matrix, [Int32]) throws -> Void
  ) throws {
    let output = try TransposedWeights([layout.output], of: model)
    let (count, shape) = (states.rows, net.shape)
    let normed = Matrix(unfilled: count, columns: states.columns)
    let gated = Matrix(unfilled: count, columns: shape.valueWidth)
    let outputGradient = Matrix(unfilled: count, columns: states.columns)
    let projectedGradient = Matrix(unfilled: count, columns: shape.projectionWidth)
    let groups = batch.groups(ofTokens: ForwardPass.groupTokens)
    Parallelism.forEach(groups.count) { index in
      let group = batch.group(groups[index])
      let all = group.all
      normed[rows: all].assign(net.norm.apply(states[rows: all]))
      let projected = net.project(normed[rows: all])
      let reads = Matrix(unfilled: all.count, columns: shape.valueWidth)
      for (window, rows) in group.windows {
        net.forEachStretch(of: window, projected[rows: rows]) { range, stretch, state in
          stretch.run(state, into: reads[rows: rows][rows: range])
        }
      }
      gated[rows: all].assign(net.gated(reads, projected))
      outputGradient[rows: all].assign(
        net.branch.propagate(
          gradient[rows: all], through: net.branch.isNormed ? net.outputs(of: gated[rows: all]) : nil))
      let result = projectedGradient[rows: all]
      let readGradient = throughGate(outputGradient[rows: all], output, reads, projected, into: result)
      for (window, rows) in group.windows {
        Profile.measure(.attention) {
          propagate(readGradient[rows: rows], of: window, projected[rows: rows], into: result[rows: rows])
        }
      }
    }
    try checkpoint()
    let tokens = (0..<Int32(count)).map(\.self)
    try observe(.deltaOutput, nil, gated, outputGradient, tokens)
    let normedGradient = Matrix(rows: count, columns: states.columns)
    for input in layout.inputs {
      try checkpoint()
      let made = Matrix(rows: count, columns: input.matrix.rows)
      for piece in input.pieces {
        made[columns: piece.rows].assign(
          projectedGradient[columns: piece.column..<piece.column + piece.rows.count])
      }
      if let role = input.role { try observe(role, nil, normed, made, tokens) }
      let weights = try TransposedWeights([input.matrix], of: model)
      Parallelism.forEach(groups.count) { index in
        let rows = batch.group(groups[index]).all
        Profile.measure(.attentionProjections) {
          weights.multiply(made[rows: rows], adding: true, into: normedGradient[rows: rows])
        }
      }
    }
    Parallelism.forEach(groups.count) { index in
      let rows = batch.group(groups[index]).all
      net.norm.propagate(normedGradient[rows: rows], through: states[rows: rows], addingTo: gradient[rows: rows])
    }
  }

  /// From the gradient at the layer's outputs to that at what heads read, which it returns, and at the gates.
  private func throughGate(
    _ outputGradient: Matrix, _ output: TransposedWeights, _ reads: Matrix, _ projected: Matrix, into result: Matrix
  ) -> Matrix {
    let shape = net.shape
    let gatedGradient = Matrix(unfilled: reads.rows, columns: reads.columns)
    Profile.measure(.attentionProjections) { output.multiply(outputGradient, into: gatedGradient) }
    let gates = result[columns: shape.gates]
    gates.assign(projected[columns: shape.gates])
    let normed = net.normedReads(reads)
    GatedActivation.silu.propagate(gate: gates, up: normed, gradient: gatedGradient)
    let readGradient = Matrix(rows: reads.rows, columns: reads.columns)
    for head in 0..<shape.valueHeadCount {
      let columns = shape.valueColumns(ofHead: head)
      normalizeGradient(
        reads[columns: columns], weight: net.readNorm, epsilon: net.configuration.normEpsilon,
        gradient: normed[columns: columns], addingTo: readGradient[columns: columns])
    }
    return readGradient
  }

  /// One window's, from the gradient at what heads read to that at queries, keys and values before the convolution, rates
  /// and decays. A beginning's state and last rows have gradients from every branch.
  private func propagate(
    _ readGradient: Matrix, of window: WindowBatch.Window, _ projected: Matrix, into result: Matrix
  ) {
    let shape = net.shape
    let before = shape.convolutionWidth - 1
    let first = Matrix(rows: shape.stateRows, columns: shape.valueDimension)
    let last = first.copy()
    let beginning = DeltaStretch(net, projected[rows: 0..<window.shared], after: nil)
    let unread = Matrix(unfilled: window.shared, columns: shape.valueWidth)
    beginning.run(last, into: unread)
    // At the state after the beginning, and at the rows that end it.
    let lastGradient = first.copy()
    let historyGradient = Matrix(rows: before, columns: shape.channelCount)
    for branch in window.branches {
      let stretch = DeltaStretch(
        net, projected[rows: branch], after: beginning.source[rows: window.shared..<beginning.source.rows])
      let stateGradient = first.copy()
      let source = propagate(
        readGradient[rows: branch], stretch, from: last, stateGradient: stateGradient, into: result[rows: branch])
      addGroupedRows(stateGradient, group: 1, into: lastGradient)
      addGroupedRows(source[rows: 0..<before].copy(), group: 1, into: historyGradient)
      result[rows: branch][columns: shape.channels].assign(source[rows: before..<source.rows])
    }
    guard window.shared > 0 else { return }
    let source = propagate(
      readGradient[rows: 0..<window.shared], beginning, from: first, stateGradient: lastGradient,
      into: result[rows: 0..<window.shared])
    addGroupedRows(historyGradient, group: 1, into: source[rows: window.shared..<source.rows])
    result[rows: 0..<window.shared][columns: shape.channels].assign(source[rows: before..<source.rows])
  }

  /// One stretch's; returns the gradient at the convolution's source.
  ///
  /// - Parameter stateGradient: At the state after it; becomes that at the state before.
  private func propagate(
    _ readGradient: Matrix, _ stretch: DeltaStretch, from first: Matrix, stateGradient: Matrix, into result: Matrix
  ) -> Matrix {
    let (shape, count) = (net.shape, readGradient.rows)
    let unitGradient = Matrix(rows: count, columns: 2 * shape.keyWidth)
    let activatedGradient = Matrix(rows: count, columns: shape.channelCount)
    for head in 0..<shape.valueHeadCount {
      let (rows, values) = (shape.stateRows(ofHead: head), shape.valueColumns(ofHead: head))
      let keyHead = shape.keyHead(ofHead: head)
      let columns = [keyHead, shape.keyHeadCount + keyHead].map(shape.queryColumns)
      var gradients = DeltaRule.Gradients(
        queries: Matrix(unfilled: count, columns: shape.keyDimension),
        keys: Matrix(unfilled: count, columns: shape.keyDimension),
        values: activatedGradient[
          columns: 2 * shape.keyWidth + values.lowerBound..<2 * shape.keyWidth + values.upperBound])
      stretch.rule(head).propagate(
        readGradient[columns: values], from: first[rows: rows], stateGradient: stateGradient[rows: rows],
        into: &gradients)
      // Neighbouring heads share queries and keys.
      addGroupedRows(gradients.queries, group: 1, into: unitGradient[columns: columns[0]])
      addGroupedRows(gradients.keys, group: 1, into: unitGradient[columns: columns[1]])
      for row in 0..<count {
        let (rate, decay) = (stretch.rates[head][row], stretch.decays[head][row])
        result[row, shape.rates.lowerBound + head] = gradients.rates[row] * rate * (1 - rate)
        result[row, shape.decays.lowerBound + head] =
          gradients.decays[row] * decay * stretch.decaySlopes[head][row]
      }
    }
    for (part, length) in net.lengths.enumerated() {
      let norm = net.lengthNorm(length)
      for head in 0..<shape.keyHeadCount {
        let columns = shape.queryColumns(ofKeyHead: part * shape.keyHeadCount + head)
        normalizeGradient(
          stretch.activated[columns: columns], weight: norm.weight, epsilon: norm.epsilon,
          gradient: unitGradient[columns: columns], addingTo: activatedGradient[columns: columns])
      }
    }
    let convolvedGradient = stretch.convolved.copy()
    let ones = Matrix(rows: count, columns: shape.channelCount)
    ones.fill(1)
    GatedActivation.silu.propagate(gate: convolvedGradient, up: ones, gradient: activatedGradient)
    let source = Matrix(rows: stretch.source.rows, columns: shape.channelCount)
    convolveGradient(convolvedGradient, weights: net.convolution, addingTo: source)
    return source
  }
}
