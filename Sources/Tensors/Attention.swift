internal import CKernels

/// Causal attention of grouped queries within one text: context = softmax(queries · keysᵀ / √dimension) · values, head
/// by head, each query seeing the last `sight` keys up to its own.
///
/// Keys and values of a head are packed once; scores exist for one head and 48 queries, against no keys beyond the last
/// that one of them sees.
///
/// - Parameters:
///   - queries, context: (the last tokens or all of them, heads · dimension)
///   - keys, values: (tokens, fewer heads · dimension); consecutive query heads share them
package func attend(
  queries: Matrix, keys: Matrix, values: Matrix, dimension: Int, sight: Int, into context: Matrix
) {
  let count = keys.rows
  let before = count - queries.rows
  precondition(before >= 0 && values.rows == count, "a token without its key or value")
  precondition(context.rows == queries.rows, "a query without its context")
  precondition(queries.columns == context.columns && keys.columns == values.columns, "shapes differ")
  precondition(dimension > 0 && keys.columns > 0 && queries.columns % keys.columns == 0)
  precondition(keys.columns % dimension == 0 && sight > 0)
  let sharing = queries.columns / keys.columns
  let panel = PackedMatrix.panelRows
  let queryBlock = 48
  let scale = 1 / Float(dimension).squareRoot()
  let scores = Matrix(unfilled: min(queryBlock, queries.rows), columns: count)
  let keyPanels = Matrix(unfilled: (count + panel - 1) / panel, columns: panel * dimension)
  let valuePanels = Matrix(unfilled: (dimension + panel - 1) / panel, columns: panel * count)
  let scratchBytes = PackedMatrix.scratchBytes(rows: queryBlock, columns: max(count, dimension))
  withUnsafeTemporaryAllocation(byteCount: scratchBytes, alignment: 64) { scratch in
    for shared in 0..<keys.columns / dimension {
      let columns = shared * dimension
      for (index, block) in Parallelism.blocks(of: count, size: panel).enumerated() {
        laser_pack_panel(
          keys.base + block.lowerBound * keys.stride + columns, keys.stride, block.count, dimension,
          keyPanels.base + index * keyPanels.stride)
      }
      laser_pack_columns(values.base + columns, values.stride, count, dimension, valuePanels.base)
      for head in shared * sharing..<(shared + 1) * sharing {
        for block in Parallelism.blocks(of: queries.rows, size: queryBlock) {
          // The first query of the block sees keys from here on; the others see later ones. From a panel's first key.
          let position = before + block.lowerBound
          let firstKey = sight > position ? 0 : (position - sight + 1) / panel * panel
          let visible = before + block.upperBound - firstKey
          laser_product_f32(
            queries.base + block.lowerBound * queries.stride + head * dimension, queries.stride, block.count,
            keyPanels.base + firstKey / panel * keyPanels.stride, keyPanels.stride, dimension, scores.base,
            scores.stride, visible, false, scratch.baseAddress)
          laser_causal_softmax(
            scores.base, scores.stride, block.count, visible, position - firstKey, sight, scale)
          laser_product_f32(
            scores.base, scores.stride, block.count, valuePanels.base + firstKey * panel, valuePanels.stride, visible,
            context.base + block.lowerBound * context.stride + head * dimension, context.stride, dimension, false,
            scratch.baseAddress)
        }
      }
    }
  }
}
