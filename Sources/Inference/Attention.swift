internal import Checkpoints
internal import Models
internal import Tensors

/// Causal grouped-query attention with rotary embedding, one layer's; with biases and norms where the layer has them.
///
/// Each window attends to itself alone, a branch of it to the window's beginning and to itself.
struct Attention: TokenMixer {
  let heads: HeadShape
  private let isInterleaved: Bool
  let norm: StateNorm
  let projections: HeadProjections
  /// (hidden, context)
  private let output: ProductWeights
  private let outputBias: Matrix?
  let scoring: AttentionScoring
  let branch: ResidualBranch
  let layout: TensorLayout.Layer

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    let configuration = model.configuration
    layout = model.layout.layers[layer]
    heads = configuration.heads(window: layout.slidingWindow)
    isInterleaved = configuration.rotary.isInterleaved
    norm = try StateNorm(model, layout.attentionNorm)
    projections = try HeadProjections(model, layout.attention, heads)
    output = try model.weightsForProducts(layout.attention.output.matrix)
    outputBias = try model.bias(layout.attention.output.bias)
    scoring = AttentionScoring(
      dimension: heads.dimension, valueDimension: heads.valueDimension,
      sight: layout.slidingWindow ?? .max, scale: configuration.multipliers.attention,
      cap: configuration.multipliers.attentionCap, sinks: try model.bias(layout.attention.heads?.sinks)?.row(0))
    branch = try ResidualBranch(model, norm: layout.attentionOutputNorm)
  }

  /// states += attention(norm(states)) for neighbouring windows and their rows, counted from the first of `states`.
  func apply(
    to states: Matrix, windows: [(window: WindowBatch.Window, rows: Range<Int>)], rotary: RotaryEmbeddings
  ) {
    let context = Matrix(unfilled: states.rows, columns: heads.contextWidth)
    apply(to: states, windows: windows, rotary: rotary, context: context)
  }

  /// - Parameter context: Filled with what the heads gather: the inputs of the output projection.
  func apply(
    to states: Matrix, windows: [(window: WindowBatch.Window, rows: Range<Int>)], rotary: RotaryEmbeddings,
    context: Matrix
  ) {
    let (projected, gates) = projections.project(norm.apply(states))
    let rotary = rotary[layout]
    for (window, range) in windows {
      let rows = projected[rows: range]
      rotate(rows[columns: queryAndKeyColumns], of: window, rotary)
      Profile.measure(.attention) {
        attend(rows, of: window, into: context[rows: range])
      }
    }
    if let gates { multiplyBySigmoids(context, gates) }
    add(context, to: states)
  }

  /// states += attention(norm(states)) for the next tokens of a text, whose earlier keys and values the cache has.
  func apply(to states: Matrix, continuing cache: TextCache, rotary: RotaryEmbeddings) {
    guard case .heads(let cache) = cache else { preconditionFailure("another layer's cache") }
    let (projected, gates) = projections.project(norm.apply(states))
    rotate(projected[columns: queryAndKeyColumns], rotary[layout], from: cache.count)
    cache.append(keys: projected[columns: keyColumns], values: projected[columns: valueColumns])
    let context = Matrix(unfilled: states.rows, columns: heads.contextWidth)
    Tensors.attend(
      queries: projected[columns: queryColumns], keys: cache.keys, values: cache.values, scoring: scoring,
      into: context)
    if let gates { multiplyBySigmoids(context, gates) }
    add(context, to: states)
  }

  /// Attends with one window's heads, which are rotated to their positions.
  func attend(_ projected: Matrix, of window: WindowBatch.Window, into context: Matrix) {
    forEachText(projected, of: window) { queries, text in
      Tensors.attend(
        queries: projected[rows: queries][columns: queryColumns], keys: text[columns: textKeys],
        values: text[columns: textValues], scoring: scoring, into: context[rows: queries])
    }
  }

  /// The texts of a window, its beginning first: the rows whose queries attend, and the keys and values that they may
  /// see, side by side, whose last rows are their own.
  func forEachText(
    _ projected: Matrix, of window: WindowBatch.Window, _ body: (_ queries: Range<Int>, _ text: Matrix) -> Void
  ) {
    let seen = projected[columns: keyColumns.lowerBound..<valueColumns.upperBound]
    if window.shared > 0 { body(0..<window.shared, seen[rows: 0..<window.shared]) }
    guard !window.branches.isEmpty else { return }
    let text = Matrix(unfilled: window.positions, columns: seen.columns)
    text[rows: 0..<window.shared].assign(seen[rows: 0..<window.shared])
    for branch in window.branches {
      let end = window.shared + branch.count
      text[rows: window.shared..<end].assign(seen[rows: branch])
      body(branch, text[rows: 0..<end])
    }
  }

  var queryColumns: Range<Int> { 0..<heads.queryWidth }
  var keyColumns: Range<Int> { heads.queryWidth..<queryAndKeyColumns.upperBound }
  var queryAndKeyColumns: Range<Int> { 0..<heads.queryWidth + heads.keyWidth }
  var valueColumns: Range<Int> { queryAndKeyColumns.upperBound..<heads.projectionWidth }

  /// Within keys and values side by side.
  var textKeys: Range<Int> { 0..<heads.keyWidth }
  var textValues: Range<Int> { heads.keyWidth..<heads.keyWidth + heads.valueWidth }

  private func add(_ context: Matrix, to states: Matrix) { branch.add(outputs(of: context), to: states) }

  /// The output projection of what the heads have gathered.
  func outputs(of context: Matrix) -> Matrix {
    let result = Matrix(unfilled: context.rows, columns: output.rows)
    Profile.measure(.attentionProjections) { multiply(context, transposed: output, into: result) }
    if let outputBias { addRow(outputBias, to: result) }
    return result
  }

  /// Rotates the queries and keys of a window's rows, side by side, to the positions that these have in their texts.
  func rotate(_ heads: Matrix, of window: WindowBatch.Window, _ rotary: RotaryEmbedding?, inverse: Bool = false) {
    rotate(heads[rows: 0..<window.shared], rotary, from: 0, inverse: inverse)
    for branch in window.branches { rotate(heads[rows: branch], rotary, from: window.shared, inverse: inverse) }
  }

  /// Rotates each head of each row of queries and keys, in place, or a part of it; row i stands at position
  /// `start` + i. The inverse is the way back of a gradient: queries grow on it too.
  private func rotate(_ heads: Matrix, _ rotary: RotaryEmbedding?, from start: Int, inverse: Bool = false) {
    guard let rotary, heads.rows > 0 else { return }
    if let growth = rotary.growth {
      scaleRows(heads[columns: queryColumns], by: growth[start..<start + heads.rows])
    }
    let cosines = rotary.cosines[rows: start..<start + heads.rows]
    let sines = rotary.sines[rows: start..<start + heads.rows]
    let dimension = 2 * cosines.columns
    func rotate(_ heads: Matrix) {
      Tensors.rotate(
        heads, dimension: dimension, interleaved: isInterleaved, cosines: cosines, sines: sines,
        inverse: inverse)
    }
    guard dimension < self.heads.dimension else { return rotate(heads) }
    let first = self.heads.rotatedStart
    for head in stride(from: 0, to: heads.columns, by: self.heads.dimension) {
      rotate(heads[columns: head + first..<head + first + dimension])
    }
  }
}
