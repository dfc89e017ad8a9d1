internal import CKernels

// Checked doors to the loops in CKernels.

/// target = weight ⊙ source / √(mean(source²) + ε), row by row (RMSNorm, arXiv 1910.07467); weight is one row.
package func normalize(_ source: Matrix, weight: Matrix, epsilon: Float, into target: Matrix) {
  precondition(source.rows == target.rows && source.columns == target.columns, "shapes differ")
  precondition(weight.rows == 1 && weight.columns == source.columns, "the norm's weight has another width")
  laser_rms_norm(
    source.base, source.stride, weight.base, epsilon, target.base, target.stride, source.rows, source.columns)
}

/// result += the gradient of `normalize` with respect to its source x, `gradient` g being that with respect to its
/// target: s · (w ⊙ g) − x · s³/n · Σ(w ⊙ g ⊙ x), s = 1/√(mean(x²) + ε), row by row of n columns.
///
/// All are (rows, n) but the weight w, which is one row. The result shares no memory with the others.
package func normalizeGradient(
  _ source: Matrix, weight: Matrix, epsilon: Float, gradient: Matrix, addingTo result: Matrix
) {
  precondition(source.rows == result.rows && source.columns == result.columns, "shapes differ")
  precondition(source.rows == gradient.rows && source.columns == gradient.columns, "shapes differ")
  precondition(weight.rows == 1 && weight.columns == source.columns, "the norm's weight has another width")
  laser_rms_norm_gradient(
    source.base, source.stride, weight.base, epsilon, gradient.base, gradient.stride, result.base, result.stride,
    source.rows, source.columns)
}

/// Rotates the pairs of each head by the angles of the row's position (rotary embedding, arXiv 2104.09864): half-split
/// pairs (i, i + dimension / 2), or `interleaved` ones (2i, 2i + 1).
///
/// - Parameters:
///   - heads: (rows, heads · dimension)
///   - cosines, sines: (rows, dimension / 2)
///   - inverse: Whether the angles are negated: the way back, and the gradient.
package func rotate(
  _ heads: Matrix, dimension: Int, interleaved: Bool = false, cosines: Matrix, sines: Matrix, inverse: Bool = false
) {
  precondition(dimension > 0 && heads.columns % dimension == 0, "columns are not whole heads")
  precondition(cosines.rows == heads.rows && sines.rows == heads.rows, "a row without angles")
  precondition(cosines.columns == dimension / 2 && sines.columns == dimension / 2)
  precondition(cosines.isContiguous && sines.isContiguous)
  (interleaved ? laser_rotate_interleaved : laser_rotate)(
    heads.base, heads.stride, heads.rows, heads.columns / dimension, dimension, cosines.base, sines.base, inverse)
}

/// Adds a block of logits (rows, part of the vocabulary) to each row's running log-sum-exp: log Σ exp = maximum + log
/// sum.
package func accumulateExponentials(_ logits: Matrix, maximum: inout [Float], sum: inout [Double]) {
  precondition(maximum.count == logits.rows && sum.count == logits.rows, "one running sum for each row")
  laser_accumulate_exponentials(logits.base, logits.stride, logits.rows, logits.columns, &maximum, &sum)
}

/// logits = exp(logits − logSumExp[row]), in place: the probabilities, of a part of the vocabulary or all of it.
package func exponentials(_ logits: Matrix, logSumExp: [Double]) {
  precondition(logSumExp.count == logits.rows, "one sum for each row")
  laser_exponentials(logits.base, logits.stride, logits.rows, logits.columns, logSumExp)
}

/// scores = cap · tanh(scale · scores / cap), in place: as they are while they are small, and never beyond the cap.
package func softCap(_ scores: Matrix, scale: Float = 1, cap: Float) {
  precondition(cap > 0 && scale > 0)
  laser_soft_cap(scores.base, scores.stride, scores.rows, scores.columns, scale, cap)
}

/// The gradient of `softCap`, in place: `gradient`, with respect to what it makes, becomes that with respect to the
/// scores x, multiplied by scale · (1 − tanh²(scale · x / cap)).
package func softCapGradient(_ scores: Matrix, scale: Float = 1, cap: Float, gradient: Matrix) {
  precondition(cap > 0 && scale > 0)
  precondition(gradient.rows == scores.rows && gradient.columns == scores.columns, "shapes differ")
  laser_soft_cap_gradient(
    scores.base, scores.stride, gradient.base, gradient.stride, scores.rows, scores.columns, scale, cap)
}

/// values *= σ(gates), in place.
package func multiplyBySigmoids(_ values: Matrix, _ gates: Matrix) {
  precondition(values.rows == gates.rows && values.columns == gates.columns, "shapes differ")
  laser_sigmoid_gate(values.base, values.stride, gates.base, gates.stride, values.rows, values.columns)
}

/// The gradients of `multiplyBySigmoids`, in place: gradient, with respect to its result, becomes that with respect to
/// the values, and gates those with respect to them.
///
/// - Parameter values: As they were before.
package func propagateSigmoids(_ gradient: Matrix, through values: Matrix, _ gates: Matrix) {
  precondition(values.rows == gates.rows && values.columns == gates.columns, "shapes differ")
  precondition(values.rows == gradient.rows && values.columns == gradient.columns, "shapes differ")
  laser_sigmoid_gate_gradient(
    gradient.base, gradient.stride, values.base, values.stride, gates.base, gates.stride, values.rows, values.columns)
}

/// Every number *= factor.
package func scale(_ matrix: Matrix, by factor: Float) {
  guard factor != 1 else { return }
  for row in 0..<matrix.rows {
    let numbers = matrix.base + row * matrix.stride
    for column in 0..<matrix.columns { numbers[column] *= factor }
  }
}

/// The sums over the columns of a ⊙ b, row by row.
package func rowDots(_ a: Matrix, _ b: Matrix) -> [Float] {
  precondition(a.rows == b.rows && a.columns == b.columns, "shapes differ")
  return (0..<a.rows).map { laser_dot(a.base + $0 * a.stride, b.base + $0 * b.stride, a.columns) }
}

/// sums[g, j] += Σ a[i, j] · b[i, j] over the rows i of group g: in float64, row after row, on all workers. Where a
/// group is cut in two calls does not change a bit.
///
/// - Parameters:
///   - groups: Neighbouring rows of a and b, one range for each row of sums.
///   - sums: (groups, columns)
package func addColumnDots(_ a: Matrix, _ b: Matrix, groups: [Range<Int>], to sums: inout DoubleMatrix) {
  precondition(a.rows == b.rows && a.columns == b.columns && sums.columns == a.columns, "shapes differ")
  precondition(sums.rows == groups.count, "one row of sums for each group")
  precondition(groups.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= a.rows }, "rows outside the matrix")
  let slices = Parallelism.shares(of: a.columns, atMost: max(64, (1 << 16) / max(1, a.rows)))
  sums.elements.withUnsafeMutableBufferPointer { buffer in
    nonisolated(unsafe) let target = buffer.baseAddress
    Parallelism.forEach(slices.count) { index in
      guard let target else { return }
      let first = slices[index].lowerBound
      for (group, rows) in groups.enumerated() {
        laser_add_column_dots(
          a.base + rows.lowerBound * a.stride + first, a.stride, b.base + rows.lowerBound * b.stride + first, b.stride,
          rows.count, slices[index].count, target + group * a.columns + first)
      }
    }
  }
}

/// row i *= weights[i].
package func scaleRows(_ matrix: Matrix, by weights: ArraySlice<Float>) {
  precondition(weights.count == matrix.rows, "one weight for each row")
  for (row, weight) in zip(0..<matrix.rows, weights) {
    let numbers = matrix.base + row * matrix.stride
    for column in 0..<matrix.columns { numbers[column] *= weight }
  }
}

/// target row i = source row indices[i].
package func gatherRows(_ source: Matrix, _ indices: ArraySlice<Int32>, into target: Matrix) {
  precondition(target.rows == indices.count && target.columns == source.columns && target.isContiguous)
  precondition(indices.allSatisfy { $0 >= 0 && $0 < source.rows }, "a row outside the matrix")
  indices.withUnsafeBufferPointer { buffer in
    guard let list = buffer.baseAddress else { return }
    laser_gather_rows(source.base, source.stride, list, indices.count, source.columns, target.base)
  }
}

/// target row indices[i] = weights[i] · source row i.
package func scatterRows(_ source: Matrix, _ indices: ArraySlice<Int32>, weights: [Float], into target: Matrix) {
  precondition(source.rows == indices.count && weights.count == indices.count && target.columns == source.columns)
  precondition(source.isContiguous && target.isContiguous)
  precondition(indices.allSatisfy { $0 >= 0 && $0 < target.rows }, "a row outside the matrix")
  indices.withUnsafeBufferPointer { buffer in
    guard let list = buffer.baseAddress else { return }
    laser_scatter_weighted_rows(source.base, list, weights, indices.count, source.columns, target.base)
  }
}

/// target row indices[i] += weights[i] · source row i, one after another. The product is rounded before it is added, so
/// that the sum is that of the rows that `scatterRows` leaves.
package func addRows(_ source: Matrix, _ indices: ArraySlice<Int32>, weights: [Float], to target: Matrix) {
  precondition(source.rows == indices.count && weights.count == indices.count && target.columns == source.columns)
  precondition(source.isContiguous && target.isContiguous)
  precondition(indices.allSatisfy { $0 >= 0 && $0 < target.rows }, "a row outside the matrix")
  indices.withUnsafeBufferPointer { buffer in
    guard let list = buffer.baseAddress else { return }
    laser_add_weighted_rows(source.base, list, weights, indices.count, source.columns, target.base)
  }
}

/// Adds one row to every row of target.
package func addRow(_ row: Matrix, to target: Matrix) {
  precondition(row.rows == 1 && row.columns == target.columns, "shapes differ")
  laser_add_row(row.base, target.base, target.stride, target.rows, target.columns)
}

/// target row i += the sum of the `group` rows of source that belong to it.
package func addGroupedRows(_ source: Matrix, group: Int, into target: Matrix) {
  precondition(group > 0 && source.rows == target.rows * group && source.columns == target.columns, "shapes differ")
  precondition(source.isContiguous)
  laser_add_grouped_rows(source.base, group, target.rows, target.columns, target.base, target.stride)
}

/// The Kullback–Leibler divergence from the first model's distribution to the second's, for each row of their logits,
/// in nats, and whether both have the same most likely column.
package func divergence(_ a: Matrix, _ b: Matrix) -> (nats: [Double], sameTop: [Bool]) {
  precondition(a.rows == b.rows && a.columns == b.columns && a.columns > 0, "shapes differ")
  precondition(a.isContiguous && b.isContiguous)
  var nats = [Double](repeating: 0, count: a.rows)
  var sameTop = [Bool](repeating: false, count: a.rows)
  laser_divergence(a.base, b.base, a.rows, a.columns, &nats, &sameTop)
  return (nats, sameTop)
}
