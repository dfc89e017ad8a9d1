internal import Checkpoints
internal import Tensors

/// Causal grouped-query attention with rotary embedding, one layer's; with biases and norms where the layer has them.
///
/// Each window attends to itself alone. Scores exist for one head and one block of queries at a time, against no keys
/// beyond the block's last.
struct Attention {
  private let configuration: TransformerConfiguration
  private let norm: Matrix
  /// Query, key and value matrices on top of each other, for one product: (queries + 2 · keys, hidden).
  private let projections: Matrix
  /// (1, queries + 2 · keys)
  private let projectionBias: Matrix?
  private let queryNorm: Matrix?
  private let keyNorm: Matrix?
  /// (hidden, queries)
  private let output: Matrix
  private let outputBias: Matrix?
  /// How many keys a query sees, itself included.
  private let sight: Int

  private static let queryBlock = 128

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    configuration = model.configuration
    let layout = model.layout.layers[layer]
    norm = try model.weights(layout.attentionNorm)
    let width = layout.query.rows + 2 * layout.key.rows
    projections = Matrix(rows: width, columns: layout.query.columns)
    var start = 0
    for part in [layout.query, layout.key, layout.value] {
      try model.decode(part, rows: 0..<part.rows, into: projections[rows: start..<start + part.rows])
      start += part.rows
    }
    projectionBias = layout.projectionBiases.isEmpty ? nil : Matrix(rows: 1, columns: width)
    start = 0
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
    output = try model.weights(layout.output)
    outputBias = try optional(layout.outputBias)
    sight = layout.slidingWindow ?? Int.max
  }

  /// states += attention(norm(states)) for neighbouring windows; `windows` are their rows, counted from `states`' first.
  func apply(to states: Matrix, windows: [Range<Int>], rotary: RotaryEmbedding) {
    let queryWidth = configuration.queryWidth
    let keyWidth = configuration.keyValueWidth
    let normed = Matrix(rows: states.rows, columns: states.columns)
    normalize(states, weight: norm, epsilon: configuration.normEpsilon, into: normed)
    let projected = Matrix(rows: states.rows, columns: queryWidth + 2 * keyWidth)
    multiply(normed, transposed: projections, into: projected)
    if let projectionBias { addRow(projectionBias, to: projected) }
    normalizeHeads(projected[columns: 0..<queryWidth], weight: queryNorm)
    normalizeHeads(projected[columns: queryWidth..<queryWidth + keyWidth], weight: keyNorm)
    let context = Matrix(rows: states.rows, columns: queryWidth)
    for window in windows {
      let rows = projected[rows: window]
      rotate(rows[columns: 0..<queryWidth + keyWidth], rotary)
      attend(
        queries: rows[columns: 0..<queryWidth], keys: rows[columns: queryWidth..<queryWidth + keyWidth],
        values: rows[columns: queryWidth + keyWidth..<queryWidth + 2 * keyWidth], into: context[rows: window])
    }
    multiply(context, transposed: output, into: normed)
    if let outputBias { addRow(outputBias, to: normed) }
    addGroupedRows(normed, group: 1, into: states)
  }

  /// In place. The weight's width is that of one head, or of all of them.
  private func normalizeHeads(_ heads: Matrix, weight: Matrix?) {
    guard let weight else { return }
    for start in stride(from: 0, to: heads.columns, by: weight.columns) {
      let part = heads[columns: start..<start + weight.columns]
      normalize(part, weight: weight, epsilon: configuration.normEpsilon, into: part)
    }
  }

  /// Turns each head of each row, in place, or the first part of it; row i stands at position i.
  private func rotate(_ heads: Matrix, _ rotary: RotaryEmbedding) {
    let cosines = rotary.cosines[rows: 0..<heads.rows]
    let sines = rotary.sines[rows: 0..<heads.rows]
    let turned = configuration.rotary.dimension
    if turned == configuration.headDimension {
      Tensors.rotate(heads, dimension: turned, cosines: cosines, sines: sines)
    } else {
      for start in stride(from: 0, to: heads.columns, by: configuration.headDimension) {
        Tensors.rotate(heads[columns: start..<start + turned], dimension: turned, cosines: cosines, sines: sines)
      }
    }
  }

  private func attend(queries: Matrix, keys: Matrix, values: Matrix, into context: Matrix) {
    let dimension = configuration.headDimension
    let sharing = configuration.headCount / configuration.keyValueHeadCount
    let scale = 1 / Float(dimension).squareRoot()
    let buffer = Matrix(rows: min(Self.queryBlock, queries.rows), columns: queries.rows)
    for block in Parallelism.blocks(of: queries.rows, size: Self.queryBlock) {
      // The first query of the block sees keys from here on; the others see later ones.
      let firstKey = sight > block.lowerBound ? 0 : block.lowerBound - sight + 1
      let visible = firstKey..<block.upperBound
      let scores = buffer[rows: 0..<block.count][columns: 0..<visible.count]
      for head in 0..<configuration.headCount {
        let columns = head * dimension..<(head + 1) * dimension
        let sharedColumns = head / sharing * dimension..<(head / sharing + 1) * dimension
        multiply(
          queries[rows: block][columns: columns], transposed: keys[rows: visible][columns: sharedColumns], into: scores)
        causalSoftmax(scores, start: block.lowerBound - firstKey, window: sight, scale: scale)
        multiply(scores, values[rows: visible][columns: sharedColumns], into: context[rows: block][columns: columns])
      }
    }
  }
}
