internal import Checkpoints
internal import Tensors

/// Causal grouped-query attention with rotary embedding, one layer's.
///
/// Each window attends to itself alone. Scores exist for one head and one block of queries at a time, against no keys
/// beyond the block's last.
struct Attention {
  private let configuration: TransformerConfiguration
  private let norm: Matrix
  /// Query, key and value matrices on top of each other, for one product: (queries + 2 · keys, hidden).
  private let projections: Matrix
  /// (hidden, queries)
  private let output: Matrix

  private static let queryBlock = 128

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    configuration = model.configuration
    let layout = model.layout.layers[layer]
    norm = try model.weights(layout.attentionNorm)
    projections = Matrix(rows: layout.query.rows + 2 * layout.key.rows, columns: layout.query.columns)
    var start = 0
    for part in [layout.query, layout.key, layout.value] {
      try model.decode(part, rows: 0..<part.rows, into: projections[rows: start..<start + part.rows])
      start += part.rows
    }
    output = try model.weights(layout.output)
  }

  /// states += attention(norm(states)) for neighbouring windows; `windows` are their rows, counted from `states`' first.
  func apply(to states: Matrix, windows: [Range<Int>], rotary: RotaryEmbedding) {
    let queryWidth = configuration.queryWidth
    let keyWidth = configuration.keyValueWidth
    let normed = Matrix(rows: states.rows, columns: states.columns)
    normalize(states, weight: norm, epsilon: configuration.normEpsilon, into: normed)
    let projected = Matrix(rows: states.rows, columns: queryWidth + 2 * keyWidth)
    multiply(normed, transposed: projections, into: projected)
    let context = Matrix(rows: states.rows, columns: queryWidth)
    for window in windows {
      let rows = projected[rows: window]
      rotate(
        rows[columns: 0..<queryWidth + keyWidth], dimension: configuration.headDimension,
        cosines: rotary.cosines[rows: 0..<window.count], sines: rotary.sines[rows: 0..<window.count])
      attend(
        queries: rows[columns: 0..<queryWidth], keys: rows[columns: queryWidth..<queryWidth + keyWidth],
        values: rows[columns: queryWidth + keyWidth..<queryWidth + 2 * keyWidth], into: context[rows: window])
    }
    multiply(context, transposed: output, into: normed)
    addGroupedRows(normed, group: 1, into: states)
  }

  private func attend(queries: Matrix, keys: Matrix, values: Matrix, into context: Matrix) {
    let dimension = configuration.headDimension
    let sharing = configuration.headCount / configuration.keyValueHeadCount
    let scale = 1 / Float(dimension).squareRoot()
    let sight = configuration.slidingWindow ?? Int.max
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
