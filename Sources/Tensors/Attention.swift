internal import CKernels

/// Causal attention of grouped queries within one text: context = softmax(scale · queries · keysᵀ) · values, head by
/// head, each query seeing the keys up to its own that the scoring says.
///
/// Keys and values of a head are packed once; scores exist for one head and 48 queries, against no keys beyond the last
/// that one of them sees.
///
/// - Parameters:
///   - queries: (the last tokens or all of them, heads · dimension)
///   - context: (the same tokens, heads · value dimension)
///   - keys: (tokens, fewer heads · dimension); consecutive query heads share them
///   - values: (tokens, those heads · value dimension)
package func attend(
  queries: Matrix, keys: Matrix, values: Matrix, scoring: AttentionScoring, into context: Matrix
) {
  scoring.check(queries: queries, keys: keys, values: values, context: context)
  let (dimension, valueDimension, sight) = (scoring.dimension, scoring.valueDimension, scoring.sight)
  let count = keys.rows
  let before = count - queries.rows
  let sharing = queries.columns / keys.columns
  let panel = PackedMatrix.panelRows
  let queryBlock = 48
  let scores = Matrix(unfilled: min(queryBlock, queries.rows), columns: count)
  let keyPanels = Matrix(unfilled: (count + panel - 1) / panel, columns: panel * dimension)
  let valuePanels = Matrix(unfilled: (valueDimension + panel - 1) / panel, columns: panel * count)
  let scratchBytes = PackedMatrix.scratchBytes(rows: queryBlock, columns: max(count, dimension))
  withUnsafeTemporaryAllocation(byteCount: scratchBytes, alignment: 64) { scratch in
    for shared in 0..<keys.columns / dimension {
      let columns = shared * dimension
      let valueColumns = shared * valueDimension
      for (index, block) in Parallelism.blocks(of: count, size: panel).enumerated() {
        laser_pack_panel(
          keys.base + block.lowerBound * keys.stride + columns, keys.stride, block.count, dimension,
          keyPanels.base + index * keyPanels.stride)
      }
      laser_pack_columns(values.base + valueColumns, values.stride, count, valueDimension, valuePanels.base)
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
          scoring.weigh(scores, head: head, rows: block.count, columns: visible, start: position - firstKey)
          laser_product_f32(
            scores.base, scores.stride, block.count, valuePanels.base + firstKey * panel, valuePanels.stride, visible,
            context.base + block.lowerBound * context.stride + head * valueDimension, context.stride, valueDimension,
            false,
            scratch.baseAddress)
        }
      }
    }
  }
}
