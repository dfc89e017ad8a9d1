internal import CKernels

/// The gradients of `attend` with respect to queries, keys and values, `gradient` being that with respect to its
/// context.
///
/// Head by head, with Q, K, V, G the head's columns of queries, keys, values and gradient:
/// P = softmax(Q · Kᵀ / √dimension), dP = G · Vᵀ, dS = P ⊙ (dP − rowsum(P ⊙ dP)) / √dimension;
/// the gradients are dS · K, dSᵀ · Q and Pᵀ · G, the latter two summed over the query heads that share keys.
///
/// P is computed again, for one head and a block of queries at a time, against no keys but those that one of them sees.
/// Sums have one order: of blocks within a head, of heads within those that share keys.
///
/// - Parameters:
///   - queries, gradient, queryGradient: (the last tokens or all of them, heads · dimension)
///   - keys, values, keyGradient, valueGradient: (tokens, fewer heads · dimension)
///   - queryGradient, keyGradient, valueGradient: Overwritten; they share no memory with the others.
package func attendGradient(
  queries: Matrix, keys: Matrix, values: Matrix, dimension: Int, sight: Int, gradient: Matrix,
  queryGradient: Matrix, keyGradient: Matrix, valueGradient: Matrix
) {
  let count = keys.rows
  precondition(queries.rows <= count && values.rows == count, "a token without its key or value")
  precondition(gradient.rows == queries.rows && queryGradient.rows == queries.rows, "a query without its gradient")
  precondition(keyGradient.rows == count && valueGradient.rows == count, "a key without its gradient")
  precondition(queries.columns == gradient.columns && queries.columns == queryGradient.columns, "shapes differ")
  precondition([values, keyGradient, valueGradient].allSatisfy { $0.columns == keys.columns }, "shapes differ")
  precondition(dimension > 0 && keys.columns > 0 && queries.columns % keys.columns == 0)
  precondition(keys.columns % dimension == 0 && sight > 0)
  keyGradient.fill(0)
  valueGradient.fill(0)
  let head = HeadGradient(tokens: count, dimension: dimension, sight: sight)
  let sharing = queries.columns / keys.columns
  for shared in 0..<keys.columns / dimension {
    let sharedColumns = shared * dimension..<(shared + 1) * dimension
    head.pack(keys: keys[columns: sharedColumns], values: values[columns: sharedColumns])
    for index in shared * sharing..<(shared + 1) * sharing {
      let columns = index * dimension..<(index + 1) * dimension
      head.run(
        queries: queries[columns: columns], gradient: gradient[columns: columns],
        queryGradient: queryGradient[columns: columns], keyGradient: keyGradient[columns: sharedColumns],
        valueGradient: valueGradient[columns: sharedColumns])
    }
  }
}

/// One head's share of `attendGradient`, with the memory that serves one head after another.
private struct HeadGradient {
  private static let panel = PackedMatrix.panelRows
  private static let queryBlock = 48

  private let count: Int
  private let dimension: Int
  private let sight: Int
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

  init(tokens count: Int, dimension: Int, sight: Int) {
    (self.count, self.dimension, self.sight) = (count, dimension, sight)
    let panel = Self.panel
    let tokenPanels = (count + panel - 1) / panel
    let dimensionPanels = (dimension + panel - 1) / panel
    keyPanels = Matrix(unfilled: tokenPanels, columns: panel * dimension)
    valuePanels = Matrix(unfilled: tokenPanels, columns: panel * dimension)
    keyColumnPanels = Matrix(unfilled: dimensionPanels, columns: panel * count)
    blockPanels = Matrix(unfilled: dimensionPanels, columns: panel * Self.queryBlock)
    weights = Matrix(unfilled: Self.queryBlock, columns: count)
    scores = Matrix(unfilled: Self.queryBlock, columns: count)
    transposed = Matrix(unfilled: count, columns: Self.queryBlock)
  }

  /// Takes the keys and values, (tokens, dimension), of the heads that follow.
  func pack(keys: Matrix, values: Matrix) {
    for (index, block) in Parallelism.blocks(of: count, size: Self.panel).enumerated() {
      for (matrix, panels) in [(keys, keyPanels), (values, valuePanels)] {
        laser_pack_panel(
          matrix.base + block.lowerBound * matrix.stride, matrix.stride, block.count, dimension,
          panels.base + index * panels.stride)
      }
    }
    laser_pack_columns(keys.base, keys.stride, count, dimension, keyColumnPanels.base)
  }

  /// Writes one head's gradient of its queries, (the last tokens or all of them, dimension), adds those of its keys and
  /// values, (tokens, dimension).
  func run(queries: Matrix, gradient: Matrix, queryGradient: Matrix, keyGradient: Matrix, valueGradient: Matrix) {
    let panel = Self.panel
    let scale = 1 / Float(dimension).squareRoot()
    let before = count - queries.rows
    let scratchBytes = max(
      PackedMatrix.scratchBytes(rows: Self.queryBlock, columns: max(count, dimension)),
      PackedMatrix.scratchBytes(rows: count, columns: Self.queryBlock))
    withUnsafeTemporaryAllocation(byteCount: scratchBytes, alignment: 64) { scratch in
      for block in Parallelism.blocks(of: queries.rows, size: Self.queryBlock) {
        // The first query of the block sees keys from here on; the others see later ones. From a panel's first key.
        let position = before + block.lowerBound
        let firstKey = sight > position ? 0 : (position - sight + 1) / panel * panel
        let visible = before + block.upperBound - firstKey
        let (blockQueries, blockGradient) = (queries[rows: block], gradient[rows: block])
        /// target = a · bᵀ, b's rows being the visible keys.
        func multiplyByKeys(_ a: Matrix, _ panels: Matrix, into target: Matrix) {
          laser_product_f32(
            a.base, a.stride, block.count, panels.base + firstKey / panel * panels.stride, panels.stride, dimension,
            target.base, target.stride, visible, false, scratch.baseAddress)
        }
        /// target's visible rows += aᵀ · b; a is (queries, keys), b is (queries, dimension).
        func addTransposed(_ a: Matrix, _ b: Matrix, to target: Matrix) {
          laser_transpose(a.base, a.stride, block.count, visible, transposed.base, transposed.stride)
          laser_pack_columns(b.base, b.stride, block.count, dimension, blockPanels.base)
          laser_product_f32(
            transposed.base, transposed.stride, visible, blockPanels.base, panel * block.count, block.count,
            target.base + firstKey * target.stride, target.stride, dimension, true, scratch.baseAddress)
        }
        multiplyByKeys(blockQueries, keyPanels, into: weights)
        laser_causal_softmax(
          weights.base, weights.stride, block.count, visible, position - firstKey, sight, scale)
        addTransposed(weights, blockGradient, to: valueGradient)
        multiplyByKeys(blockGradient, valuePanels, into: scores)
        laser_softmax_gradient(
          weights.base, weights.stride, scores.base, scores.stride, block.count, visible, scale)
        addTransposed(scores, blockQueries, to: keyGradient)
        laser_product_f32(
          scores.base, scores.stride, block.count, keyColumnPanels.base + firstKey * panel, keyColumnPanels.stride,
          visible, queryGradient.base + block.lowerBound * queryGradient.stride, queryGradient.stride, dimension,
          false, scratch.baseAddress)
      }
    }
  }
}
