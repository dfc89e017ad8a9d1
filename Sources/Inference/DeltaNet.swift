internal import Checkpoints
internal import Glibc
internal import Models
internal import Tensors

/// Linear attention by the gated delta rule, one layer's (Gated DeltaNet, arXiv 2412.06464).
///
/// Queries, keys and values pass a short convolution over tokens and silu; queries and keys are brought to length 1; each
/// head's state is corrected by every token and read by its query (`DeltaRule`). What heads read is normed, and gated.
struct DeltaNet: TokenMixer {
  let configuration: TransformerConfiguration
  let shape: DeltaShape
  let norm: StateNorm
  private let inputs: [(weights: ProductWeights, pieces: [(rows: Range<Int>, column: Int)])]
  /// (width, channels)
  let convolution: Matrix
  /// By value head: what is added before the softplus, and what it is multiplied by.
  let decayBias: [Float]
  let decaySpeed: [Float]
  /// (1, value dimension)
  let readNorm: Matrix
  private let output: ProductWeights
  let branch: ResidualBranch

  /// Of the squared lengths of queries and keys.
  private static let lengthEpsilon: Float = 1e-6

  init(_ model: Model, layer: Int, _ layout: TensorLayout.DeltaAttention) throws(CheckpointError) {
    configuration = model.configuration
    shape = layout.shape
    norm = try StateNorm(model, model.layout.layers[layer].attentionNorm)
    inputs = try layout.inputs.map { input throws(CheckpointError) in
      // Rates and decays are few and decide much.
      let precision: Precision? = input.role == nil ? .float32 : nil
      let weights: ProductWeights =
        model.execution.usesStoredWeights
        ? try model.weightsForProducts(input.matrix)
        : .packed(try model.packed(input.matrix, precision: precision))
      return (weights, input.pieces)
    }
    let channels = try model.weights(layout.convolution)
    convolution = Matrix(rows: channels.columns, columns: channels.rows)
    for row in 0..<channels.rows {
      for column in 0..<channels.columns { convolution[column, row] = channels[row, column] }
    }
    decayBias = try model.weights(layout.decayBias).row(0)
    decaySpeed = try model.weights(layout.decayLogarithm).row(0).map { -expf($0) }
    readNorm = try model.weights(layout.norm)
    output = try model.weightsForProducts(layout.output)
    branch = try ResidualBranch(model, norm: model.layout.layers[layer].attentionOutputNorm)
  }

  func apply(
    to states: Matrix, windows: [(window: WindowBatch.Window, rows: Range<Int>)], rotary: RotaryEmbeddings
  ) {
    let projected = project(norm.apply(states))
    let reads = Matrix(unfilled: states.rows, columns: shape.valueWidth)
    Profile.measure(.attention) {
      for (window, rows) in windows {
        forEachStretch(of: window, projected[rows: rows]) { range, stretch, state in
          stretch.run(state, into: reads[rows: rows][rows: range])
        }
      }
    }
    branch.add(outputs(of: gated(reads, projected)), to: states)
  }

  func apply(to states: Matrix, continuing cache: TextCache, rotary: RotaryEmbeddings) {
    guard case .delta(let cache) = cache else { preconditionFailure("another layer's cache") }
    let projected = project(norm.apply(states))
    let stretch = DeltaStretch(self, projected, after: cache.history)
    let reads = Matrix(unfilled: states.rows, columns: shape.valueWidth)
    stretch.run(cache.state, into: reads)
    cache.history.assign(stretch.source[rows: states.rows..<stretch.source.rows])
    branch.add(outputs(of: gated(reads, projected)), to: states)
  }

  /// What is made of normed states, side by side.
  func project(_ normed: Matrix) -> Matrix {
    let projected = Matrix(unfilled: normed.rows, columns: shape.projectionWidth)
    Profile.measure(.attentionProjections) {
      for input in inputs {
        let made = Matrix(unfilled: normed.rows, columns: input.weights.rows)
        multiply(normed, transposed: input.weights, into: made)
        for piece in input.pieces {
          projected[columns: piece.column..<piece.column + piece.rows.count].assign(made[columns: piece.rows])
        }
      }
    }
    return projected
  }

  /// The stretches of a window whose rows follow each other, its beginning first, each with the state that it begins
  /// with, which it is to change into that after it.
  ///
  /// - Parameter projected: The window's rows.
  func forEachStretch(
    of window: WindowBatch.Window, _ projected: Matrix, _ body: (Range<Int>, DeltaStretch, Matrix) -> Void
  ) {
    let state = Matrix(rows: shape.stateRows, columns: shape.valueDimension)
    let beginning = DeltaStretch(self, projected[rows: 0..<window.shared], after: nil)
    if window.shared > 0 { body(0..<window.shared, beginning, state) }
    for branch in window.branches {
      let stretch = DeltaStretch(
        self, projected[rows: branch], after: beginning.source[rows: window.shared..<beginning.source.rows])
      body(branch, stretch, state.copy())
    }
  }

  /// What heads read, normed and multiplied by the silu of the gates.
  func gated(_ reads: Matrix, _ projected: Matrix) -> Matrix {
    let gates = projected[columns: shape.gates].copy()
    GatedActivation.silu.apply(gate: gates, up: normedReads(reads))
    return gates
  }

  func normedReads(_ reads: Matrix) -> Matrix {
    let normed = Matrix(unfilled: reads.rows, columns: reads.columns)
    for head in 0..<shape.valueHeadCount {
      let columns = shape.valueColumns(ofHead: head)
      normalize(
        reads[columns: columns], weight: readNorm, epsilon: configuration.normEpsilon, into: normed[columns: columns])
    }
    return normed
  }

  /// The output projection.
  func outputs(of gated: Matrix) -> Matrix {
    let result = Matrix(unfilled: gated.rows, columns: configuration.hiddenSize)
    Profile.measure(.attentionProjections) { multiply(gated, transposed: output, into: result) }
    return result
  }

  /// A norm that brings a head's query or key x to a length: x · length / √(|x|² + ε), said as an RMSNorm.
  func lengthNorm(_ length: Float) -> (weight: Matrix, epsilon: Float) {
    let count = shape.keyDimension
    let weight = length / Float(count).squareRoot()
    return (
      Matrix(rows: 1, columns: count, elements: Array(repeating: weight, count: count)),
      Self.lengthEpsilon / Float(count)
    )
  }

  /// Queries have the length 1 / √dimension, keys 1.
  var lengths: [Float] { [1 / Float(shape.keyDimension).squareRoot(), 1] }
}

extension DeltaShape {
  /// States of all heads below each other: (heads · keys, values).
  var stateRows: Int { valueHeadCount * keyDimension }

  func stateRows(ofHead head: Int) -> Range<Int> { head * keyDimension..<(head + 1) * keyDimension }
}

/// Rows of one text that follow each other, on their way through a layer of linear attention.
struct DeltaStretch {
  let shape: DeltaShape
  /// Queries, keys and values before the convolution, behind as many rows as it sees of the tokens before.
  let source: Matrix
  /// After the convolution, before silu.
  let convolved: Matrix
  /// After silu: (rows, channels).
  let activated: Matrix
  /// Queries and keys side by side, brought to their lengths.
  let unit: Matrix
  /// By value head.
  let decays: [[Float]]
  /// The derivative of the decay's logarithm by what is made of the state.
  let decaySlopes: [[Float]]
  let rates: [[Float]]

  /// - Parameters:
  ///   - projected: What is made of the rows' states.
  ///   - history: Queries, keys and values of the tokens before; nil at the beginning of a text.
  init(_ net: DeltaNet, _ projected: Matrix, after history: Matrix?) {
    shape = net.shape
    let (count, before) = (projected.rows, net.shape.convolutionWidth - 1)
    source = Matrix(rows: before + count, columns: shape.channelCount)
    if let history { source[rows: 0..<before].assign(history) }
    source[rows: before..<before + count].assign(projected[columns: shape.channels])
    convolved = Matrix(unfilled: count, columns: shape.channelCount)
    convolve(source, weights: net.convolution, into: convolved)
    activated = convolved.copy()
    let ones = Matrix(rows: count, columns: shape.channelCount)
    ones.fill(1)
    GatedActivation.silu.apply(gate: activated, up: ones)
    unit = Matrix(unfilled: count, columns: 2 * shape.keyWidth)
    for (part, length) in net.lengths.enumerated() {
      let norm = net.lengthNorm(length)
      for head in 0..<shape.keyHeadCount {
        let columns = shape.queryColumns(ofKeyHead: part * shape.keyHeadCount + head)
        normalize(activated[columns: columns], weight: norm.weight, epsilon: norm.epsilon, into: unit[columns: columns])
      }
    }
    let exponents = (0..<shape.valueHeadCount).map { head in
      (0..<count).map { row in projected[row, net.shape.decays.lowerBound + head] + net.decayBias[head] }
    }
    decays = exponents.enumerated().map { head, exponents in
      // As torch does: beyond 20 the softplus is its argument.
      exponents.map { expf(net.decaySpeed[head] * ($0 > 20 ? $0 : log1pf(expf($0)))) }
    }
    decaySlopes = exponents.enumerated().map { head, exponents in
      exponents.map { net.decaySpeed[head] / (1 + expf(-$0)) }
    }
    rates = (0..<shape.valueHeadCount).map { head in
      (0..<count).map { row in 1 / (1 + expf(-projected[row, net.shape.rates.lowerBound + head])) }
    }
  }

  func rule(_ head: Int) -> DeltaRule {
    let keyHead = shape.keyHead(ofHead: head)
    let values = shape.valueColumns(ofHead: head)
    return DeltaRule(
      queries: unit[columns: shape.queryColumns(ofKeyHead: keyHead)],
      keys: unit[columns: shape.queryColumns(ofKeyHead: shape.keyHeadCount + keyHead)],
      values: activated[columns: 2 * shape.keyWidth + values.lowerBound..<2 * shape.keyWidth + values.upperBound],
      decays: decays[head], rates: rates[head])
  }

  /// - Parameters:
  ///   - state: Of all heads; becomes that after the rows.
  ///   - reads: (rows, values of all heads)
  func run(_ state: Matrix, into reads: Matrix) {
    for head in 0..<shape.valueHeadCount {
      rule(head).run(
        state[rows: shape.stateRows(ofHead: head)], into: reads[columns: shape.valueColumns(ofHead: head)])
    }
  }
}
