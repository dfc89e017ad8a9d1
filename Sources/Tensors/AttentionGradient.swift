internal import CKernels

/// The gradients of `attend` with respect to queries, keys and values, `gradient` being that with respect to its
/// context.
///
/// Head by head, with Q, K, V, G the head's columns of queries, keys, values and gradient:
/// P = softmax(scale · Q · Kᵀ), dP = G · Vᵀ, dS = P ⊙ (dP − rowsum(P ⊙ dP)) · scale;
/// the gradients are dS · K, dSᵀ · Q and Pᵀ · G, the latter two summed over the query heads that share keys. Scores
/// that are capped pass their gradient on through tanh. A sink takes part in the softmax alone: its weight gathers
/// nothing, so that nothing of it is in the sums.
///
/// P is computed again, for one head and a block of queries at a time, against no keys but those that one of them sees.
/// Sums have one order: of blocks within a head, of heads within those that share keys.
///
/// - Parameters:
///   - queries, queryGradient: (the last tokens or all of them, heads · dimension)
///   - gradient: (the same tokens, heads · value dimension)
///   - keys, keyGradient: (tokens, fewer heads · dimension)
///   - values, valueGradient: (tokens, those heads · value dimension)
///   - queryGradient, keyGradient, valueGradient: Overwritten; they share no memory with the others.
package func attendGradient(
  queries: Matrix, keys: Matrix, values: Matrix, scoring: AttentionScoring, gradient: Matrix,
  queryGradient: Matrix, keyGradient: Matrix, valueGradient: Matrix
) {
  scoring.check(queries: queries, keys: keys, values: values, context: gradient)
  scoring.check(queries: queryGradient, keys: keyGradient, values: valueGradient, context: gradient)
  precondition(keyGradient.rows == keys.rows, "a key without its gradient")
  let (dimension, valueDimension) = (scoring.dimension, scoring.valueDimension)
  keyGradient.fill(0)
  valueGradient.fill(0)
  let head = HeadGradient(tokens: keys.rows, scoring: scoring)
  let sharing = queries.columns / keys.columns
  for shared in 0..<keys.columns / dimension {
    let sharedColumns = shared * dimension..<(shared + 1) * dimension
    let sharedValues = shared * valueDimension..<(shared + 1) * valueDimension
    head.pack(keys: keys[columns: sharedColumns], values: values[columns: sharedValues])
    for index in shared * sharing..<(shared + 1) * sharing {
      let columns = index * dimension..<(index + 1) * dimension
      head.run(
        index, queries: queries[columns: columns],
        gradient: gradient[columns: index * valueDimension..<(index + 1) * valueDimension],
        queryGradient: queryGradient[columns: columns], keyGradient: keyGradient[columns: sharedColumns],
        valueGradient: valueGradient[columns: sharedValues])
    }
  }
}

/// One head's share of `attendGradient`, with the memory that serves one head after another.
private struct HeadGradient {
  private static let panel = PackedMatrix.panelRows
  private static let queryBlock = 48

  private let count: Int
  private let scoring: AttentionScoring
  /// K and V as they enter Q · Kᵀ and G · Vᵀ, and K as it enters dS · K.
  private let keyPanels: Matrix
  private let valuePanels: Matrix
  private let keyColumnPanels: Matrix
  /// A block's Q or G as it enters dSᵀ · Q and Pᵀ · G.
  private let blockPanels: Matrix
  /// P and dP, then dS, of a block of queries, (queries, keys); and one of them transposed.
  private let weights: Matrix
  private let scores: Matrix
  private let transposed: Matrix

  private var dimension: Int { scoring.dimension }
  private var valueDimension: Int { scoring.valueDimension }

  init(tokens count: Int, scoring: AttentionScoring) {
    (self.count, self.scoring) = (count, scoring)
    let panel = Self.panel
    let tokenPanels = (count + panel - 1) / panel
    let (dimension, valueDimension) = (scoring.dimension, scoring.valueDimension)
    let dimensionPanels = (dimension + panel - 1) / panel
    let widest = (max(dimension, valueDimension) + panel - 1) / panel
    keyPanels = Matrix(unfilled: tokenPanels, columns: panel * dimension)
    valuePanels = Matrix(unfilled: tokenPanels, columns: panel * valueDimension)
    keyColumnPanels = Matrix(unfilled: dimensionPanels, columns: panel * count)
    blockPanels = Matrix(unfilled: widest, columns: panel * Self.queryBlock)
    weights = Matrix(unfilled: Self.queryBlock, columns: count)
    scores = Matrix(unfilled: Self.queryBlock, columns: count)
    transposed = Matrix(unfilled: count, columns: Self.queryBlock)
  }

  /// Takes the keys, (tokens, dimension), and values, (tokens, value dimension), of the heads that follow.
  func pack(keys: Matrix, values: Matrix) {
    for (index, block) in Parallelism.blocks(of: count, size: Self.panel).enumerated() {
      for (matrix, panels) in [(keys, keyPanels), (values, valuePanels)] {
        laser_pack_panel(
          matrix.base + block.lowerBound * matrix.stride, matrix.stride, block.count, matrix.columns,
          panels.base + index * panels.stride)
      }
    }
    laser_pack_columns(keys.base, keys.stride, count, dimension, keyColumnPanels.base)
  }

  /// Writes a head's gradient of its queries, (the last tokens or all of them, dimension), adds those of its keys,
  /// (tokens, dimension), and values, (tokens, value dimension).
  func run(
    _ number: Int, queries: Matrix, gradient: Matrix, queryGradient: Matrix, keyGradient: Matrix, valueGradient: Matrix
  ) {
    let (panel, sight) = (Self.panel, scoring.sight)
    let before = count - queries.rows
    let scratchBytes = max(
      PackedMatrix.scratchBytes(rows: Self.queryBlock, columns: max(count, dimension, valueDimension)),
      PackedMatrix.scratchBytes(rows: count, columns: Self.queryBlock))
    withUnsafeTemporaryAllocation(byteCount: scratchBytes, alignment: 64) { scratch in
      for block in Parallelism.blocks(of: queries.rows, size: Self.queryBlock) {
        // The first query of the block sees keys from here on; the others see later ones. From a panel's first key.
        let position = before + block.lowerBound
        let firstKey = sight > position ? 0 : (position - sight + 1) / panel * panel
        let visible = before + block.upperBound - firstKey
        let (blockQueries, blockGradient) = (queries[rows: block], gradient[rows: block])
        /// target = a · bᵀ, b's rows being the visible keys, or their values.
        func multiplyByKeys(_ a: Matrix, _ panels: Matrix, into target: Matrix) {
          laser_product_f32(
            a.base, a.stride, block.count, panels.base + firstKey / panel * panels.stride, panels.stride, a.columns,
            target.base, target.stride, visible, false, scratch.baseAddress)
        }
        /// target's visible rows += aᵀ · b; a is (queries, keys), b is (queries, any dimension).
        func addTransposed(_ a: Matrix, _ b: Matrix, to target: Matrix) {
          laser_transpose(a.base, a.stride, block.count, visible, transposed.base, transposed.stride)
          laser_pack_columns(b.base, b.stride, block.count, b.columns, blockPanels.base)
          laser_product_f32(
            transposed.base, transposed.stride, visible, blockPanels.base, panel * block.count, block.count,
            target.base + firstKey * target.stride, target.stride, b.columns, true, scratch.baseAddress)
        }
        multiplyByKeys(blockQueries, keyPanels, into: weights)
        scoring.weigh(weights, head: number, rows: block.count, columns: visible, start: position - firstKey)
        addTransposed(weights, blockGradient, to: valueGradient)
        multiplyByKeys(blockGradient, valuePanels, into: scores)
        laser_softmax_gradient(
          weights.base, weights.stride, scores.base, scores.stride, block.count, visible, scoring.softmaxScale)
        if let cap = scoring.cap {
          multiplyByKeys(blockQueries, keyPanels, into: weights)
          laser_soft_cap_gradient(
            weights.base, weights.stride, scores.base, scores.stride, block.count, visible, scoring.scale, cap)
        }
        addTransposed(scores, blockQueries, to: keyGradient)
        laser_product_f32(
          scores.base, scores.stride, block.count, keyColumnPanels.base + firstKey * panel, keyColumnPanels.stride,
          visible, queryGradient.base + block.lowerBound * queryGradient.stride, queryGradient.stride, dimension,
          false, scratch.baseAddress)
      }
    }
  }
}
