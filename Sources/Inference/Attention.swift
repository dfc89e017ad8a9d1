internal import Checkpoints
internal import Tensors

/// Causal grouped-query attention with rotary embedding, one layer's; with biases and norms where the layer has them.
///
/// Each window attends to itself alone.
struct Attention {
  private let configuration: TransformerConfiguration
  private let norm: Matrix
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
  private let sight: Int

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    configuration = model.configuration
    let layout = model.layout.layers[layer]
    norm = try model.weights(layout.attentionNorm)
    let width = layout.query.rows + 2 * layout.key.rows
    let parts = [layout.query, layout.key, layout.value]
    if model.usesStoredWeights {
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
    sight = layout.slidingWindow ?? Int.max
  }

  /// states += attention(norm(states)) for neighbouring windows; `windows` are their rows, counted from `states`' first.
  func apply(to states: Matrix, windows: [Range<Int>], rotary: RotaryEmbedding) {
    let projected = project(states)
    let context = Matrix(unfilled: states.rows, columns: configuration.queryWidth)
    for window in windows {
      let rows = projected[rows: window]
      rotate(rows[columns: queryAndKeyColumns], rotary, from: 0)
      Profile.measure(.attention) {
        attend(
          queries: rows[columns: queryColumns], keys: rows[columns: keyColumns], values: rows[columns: valueColumns],
          dimension: configuration.headDimension, sight: sight, into: context[rows: window])
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
    attend(
      queries: projected[columns: queryColumns], keys: cache.keys, values: cache.values,
      dimension: configuration.headDimension, sight: sight, into: context)
    add(context, to: states)
  }

  private var queryColumns: Range<Int> { 0..<configuration.queryWidth }
  private var keyColumns: Range<Int> {
    configuration.queryWidth..<configuration.queryWidth + configuration.keyValueWidth
  }
  private var queryAndKeyColumns: Range<Int> { 0..<keyColumns.upperBound }
  private var valueColumns: Range<Int> { keyColumns.upperBound..<keyColumns.upperBound + configuration.keyValueWidth }

  /// Queries, keys and values of some states side by side, not yet turned.
  private func project(_ states: Matrix) -> Matrix {
    let normed = Matrix(unfilled: states.rows, columns: states.columns)
    normalize(states, weight: norm, epsilon: configuration.normEpsilon, into: normed)
    let projected = Matrix(unfilled: states.rows, columns: valueColumns.upperBound)
    Profile.measure(.attentionProjections) {
      var start = 0
      for part in projections {
        multiply(normed, transposed: part, into: projected[columns: start..<start + part.rows])
        start += part.rows
      }
    }
    if let projectionBias { addRow(projectionBias, to: projected) }
    normalizeHeads(projected[columns: queryColumns], weight: queryNorm)
    normalizeHeads(projected[columns: keyColumns], weight: keyNorm)
    return projected
  }

  /// states += the output projection of what the heads have gathered.
  private func add(_ context: Matrix, to states: Matrix) {
    let result = Matrix(unfilled: states.rows, columns: states.columns)
    Profile.measure(.attentionProjections) { multiply(context, transposed: output, into: result) }
    if let outputBias { addRow(outputBias, to: result) }
    addGroupedRows(result, group: 1, into: states)
  }

  /// In place. The weight's width is that of one head, or of all of them.
  private func normalizeHeads(_ heads: Matrix, weight: Matrix?) {
    guard let weight else { return }
    for start in stride(from: 0, to: heads.columns, by: weight.columns) {
      let part = heads[columns: start..<start + weight.columns]
      normalize(part, weight: weight, epsilon: configuration.normEpsilon, into: part)
    }
  }

  /// Turns each head of each row, in place, or the first part of it; row i stands at position `start` + i.
  private func rotate(_ heads: Matrix, _ rotary: RotaryEmbedding, from start: Int) {
    let cosines = rotary.cosines[rows: start..<start + heads.rows]
    let sines = rotary.sines[rows: start..<start + heads.rows]
    let turned = configuration.rotary.dimension
    let neighbours = configuration.rotary.pairsNeighbours
    if turned == configuration.headDimension {
      Tensors.rotate(heads, dimension: turned, neighbours: neighbours, cosines: cosines, sines: sines)
    } else {
      for start in stride(from: 0, to: heads.columns, by: configuration.headDimension) {
        Tensors.rotate(
          heads[columns: start..<start + turned], dimension: turned, neighbours: neighbours, cosines: cosines,
          sines: sines)
      }
    }
  }
}
