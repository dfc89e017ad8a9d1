internal import Checkpoints
internal import Models
internal import Tensors

/// Causal grouped-query attention with rotary embedding, one layer's; with biases and norms where the layer has them.
///
/// Each window attends to itself alone, a branch of it to the window's beginning and to itself.
struct Attention {
  let configuration: TransformerConfiguration
  let norm: Matrix
  /// Query, key and value matrices on top of each other: (queries + 2 · keys, hidden), as one where they are packed.
  private let projections: [ProductWeights]
  /// (1, queries + 2 · keys)
  private let projectionBias: Matrix?
  private let queryNorm: Matrix?
  private let keyNorm: Matrix?
  /// (hidden, queries)
  private let output: ProductWeights
  private let outputBias: Matrix?
  /// How many keys a query sees, itself included.
  let windowSize: Int

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    configuration = model.configuration
    let layout = model.layout.layers[layer]
    norm = try model.weights(layout.attentionNorm)
    let width = layout.query.rows + 2 * layout.key.rows
    let parts = [layout.query, layout.key, layout.value]
    if model.execution.usesStoredWeights {
      projections = try parts.map { part throws(CheckpointError) in try model.weightsForProducts(part) }
    } else {
      let weights = try parts.map { part throws(CheckpointError) in try model.weight(part) }
      projections = [.packed(try model.packed(weights))]
    }
    projectionBias = layout.projectionBiases.isEmpty ? nil : Matrix(rows: 1, columns: width)
    var start = 0
    for bias in layout.projectionBiases {
      projectionBias?[columns: start..<start + bias.columns].assign(try model.weights(bias))
      start += bias.columns
    }
    func optional(_ reference: TensorReference?) throws(CheckpointError) -> Matrix? {
      guard let reference else { return nil }
      return try model.weights(reference)
    }
    queryNorm = try optional(layout.queryNorm)
    keyNorm = try optional(layout.keyNorm)
    output = try model.weightsForProducts(layout.output)
    outputBias = try optional(layout.outputBias)
    windowSize = layout.slidingWindow ?? Int.max
  }

  /// states += attention(norm(states)) for neighbouring windows and their rows, counted from the first of `states`.
  func apply(
    to states: Matrix, windows: [(window: WindowBatch.Window, rows: Range<Int>)], rotary: RotaryEmbedding
  ) {
    let projected = project(states)
    let context = Matrix(unfilled: states.rows, columns: configuration.queryWidth)
    for (window, range) in windows {
      let rows = projected[rows: range]
      rotate(rows[columns: queryAndKeyColumns], of: window, rotary)
      Profile.measure(.attention) {
        attend(rows, of: window, into: context[rows: range])
      }
    }
    add(context, to: states)
  }

  /// states += attention(norm(states)) for the next tokens of a text, whose earlier keys and values the cache has.
  func apply(to states: Matrix, continuing cache: KeyValueCache, rotary: RotaryEmbedding) {
    let projected = project(states)
    rotate(projected[columns: queryAndKeyColumns], rotary, from: cache.count)
    cache.append(keys: projected[columns: keyColumns], values: projected[columns: valueColumns])
    let context = Matrix(unfilled: states.rows, columns: configuration.queryWidth)
    Tensors.attend(
      queries: projected[columns: queryColumns], keys: cache.keys, values: cache.values,
      dimension: configuration.headDimension, sight: windowSize, into: context)
    add(context, to: states)
  }

  /// Attends with one window's heads, which are rotated to their positions.
  func attend(_ projected: Matrix, of window: WindowBatch.Window, into context: Matrix) {
    forEachText(projected, of: window) { queries, text in
      Tensors.attend(
        queries: projected[rows: queries][columns: queryColumns], keys: text[columns: textKeys],
        values: text[columns: textValues], dimension: configuration.headDimension, sight: windowSize,
        into: context[rows: queries])
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

  var queryColumns: Range<Int> { 0..<configuration.queryWidth }
  var keyColumns: Range<Int> {
    configuration.queryWidth..<configuration.queryWidth + configuration.keyValueWidth
  }
  var queryAndKeyColumns: Range<Int> { 0..<keyColumns.upperBound }
  var valueColumns: Range<Int> { keyColumns.upperBound..<keyColumns.upperBound + configuration.keyValueWidth }

  /// Within keys and values side by side.
  var textKeys: Range<Int> { 0..<configuration.keyValueWidth }
  var textValues: Range<Int> { configuration.keyValueWidth..<2 * configuration.keyValueWidth }

  /// Queries, keys and values of some states side by side, not yet rotated.
  private func project(_ states: Matrix) -> Matrix {
    let normed = Matrix(unfilled: states.rows, columns: states.columns)
    normalizeStates(states, into: normed)
    let projected = projectNormed(normed)
    normalizeHeads(projected)
    return projected
  }

  func normalizeStates(_ states: Matrix, into normed: Matrix) {
    normalize(states, weight: norm, epsilon: configuration.normEpsilon, into: normed)
  }

  /// Queries, keys and values of normed states, their heads not yet normed.
  func projectNormed(_ normed: Matrix) -> Matrix {
    let projected = Matrix(unfilled: normed.rows, columns: valueColumns.upperBound)
    Profile.measure(.attentionProjections) {
      var start = 0
      for part in projections {
        multiply(normed, transposed: part, into: projected[columns: start..<start + part.rows])
        start += part.rows
      }
    }
    if let projectionBias { addRow(projectionBias, to: projected) }
    return projected
  }

  /// states += the output projection of what the heads have gathered.
  private func add(_ context: Matrix, to states: Matrix) {
    let result = Matrix(unfilled: states.rows, columns: states.columns)
    Profile.measure(.attentionProjections) { multiply(context, transposed: output, into: result) }
    if let outputBias { addRow(outputBias, to: result) }
    addGroupedRows(result, group: 1, into: states)
  }

  /// Norms the heads of queries and keys, in place, where the layer does that.
  func normalizeHeads(_ projected: Matrix) {
    forEachNormedHead { columns, weight in
      let part = projected[columns: columns]
      normalize(part, weight: weight, epsilon: configuration.normEpsilon, into: part)
    }
  }

  /// From the gradient at normed heads to that at the heads before, in place.
  func propagateHeadNorms(_ gradient: Matrix, through plain: Matrix) {
    forEachNormedHead { columns, weight in
      let result = Matrix(rows: plain.rows, columns: columns.count)
      normalizeGradient(
        plain[columns: columns], weight: weight, epsilon: configuration.normEpsilon,
        gradient: gradient[columns: columns], addingTo: result)
      gradient[columns: columns].assign(result)
    }
  }

  /// The columns that are normed together. The weight's width is that of one head, or of all of them.
  private func forEachNormedHead(_ body: (Range<Int>, Matrix) -> Void) {
    for (columns, weight) in [(queryColumns, queryNorm), (keyColumns, keyNorm)] {
      guard let weight else { continue }
      for start in stride(from: columns.lowerBound, to: columns.upperBound, by: weight.columns) {
        body(start..<start + weight.columns, weight)
      }
    }
  }

  /// Rotates the heads of a window's rows to the positions that these have in their texts.
  func rotate(_ heads: Matrix, of window: WindowBatch.Window, _ rotary: RotaryEmbedding, inverse: Bool = false) {
    rotate(heads[rows: 0..<window.shared], rotary, from: 0, inverse: inverse)
    for branch in window.branches { rotate(heads[rows: branch], rotary, from: window.shared, inverse: inverse) }
  }

  /// Rotates each head of each row, in place, or the first part of it; row i stands at position `start` + i.
  func rotate(_ heads: Matrix, _ rotary: RotaryEmbedding, from start: Int, inverse: Bool = false) {
    let cosines = rotary.cosines[rows: start..<start + heads.rows]
    let sines = rotary.sines[rows: start..<start + heads.rows]
    let dimension = configuration.rotary.dimension
    func rotate(_ heads: Matrix) {
      Tensors.rotate(
        heads, dimension: dimension, interleaved: configuration.rotary.isInterleaved, cosines: cosines, sines: sines,
        inverse: inverse)
    }
    guard dimension < configuration.headDimension else { return rotate(heads) }
    for start in stride(from: 0, to: heads.columns, by: configuration.headDimension) {
      rotate(heads[columns: start..<start + dimension])
    }
  }
}
