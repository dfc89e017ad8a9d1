internal import Checkpoints
internal import Tensors

/// Causal grouped-query attention with rotary embedding, one layer's; with biases and norms where the layer has them.
///
/// Each window attends to itself alone.
struct Attention {
  private let configuration: TransformerConfiguration
  private let norm: Matrix
  /// Query, key and value matrices on top of each other, for one product: (queries + 2 · keys, hidden).
  private let projections: PackedMatrix
  /// (1, queries + 2 · keys)
  private let projectionBias: Matrix?
  private let queryNorm: Matrix?
  private let keyNorm: Matrix?
  /// (hidden, queries)
  private let output: PackedMatrix
  private let outputBias: Matrix?
  /// How many keys a query sees, itself included.
  private let sight: Int

  init(_ model: Model, layer: Int) throws(CheckpointError) {
    configuration = model.configuration
    let layout = model.layout.layers[layer]
    norm = try model.weights(layout.attentionNorm)
    let width = layout.query.rows + 2 * layout.key.rows
    let projections = Matrix(rows: width, columns: layout.query.columns)
    var start = 0
    for part in [layout.query, layout.key, layout.value] {
      try model.decode(part, rows: 0..<part.rows, into: projections[rows: start..<start + part.rows])
      start += part.rows
    }
    self.projections = PackedMatrix(projections, precision: model.precision)
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
    output = try model.packed(layout.output)
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
    Profile.measure(.attentionProjections) { multiply(normed, transposed: projections, into: projected) }
    if let projectionBias { addRow(projectionBias, to: projected) }
    normalizeHeads(projected[columns: 0..<queryWidth], weight: queryNorm)
    normalizeHeads(projected[columns: queryWidth..<queryWidth + keyWidth], weight: keyNorm)
    let context = Matrix(rows: states.rows, columns: queryWidth)
    for window in windows {
      let rows = projected[rows: window]
      rotate(rows[columns: 0..<queryWidth + keyWidth], rotary)
      Profile.measure(.attention) {
        attend(
          queries: rows[columns: 0..<queryWidth], keys: rows[columns: queryWidth..<queryWidth + keyWidth],
          values: rows[columns: queryWidth + keyWidth..<queryWidth + 2 * keyWidth],
          dimension: configuration.headDimension, sight: sight, into: context[rows: window])
      }
    }
    Profile.measure(.attentionProjections) { multiply(context, transposed: output, into: normed) }
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
}
