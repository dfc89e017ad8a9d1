internal import COpenBLAS

/// target = a · bᵀ; a is (m, k), b is (n, k), target is (m, n).
///
/// Weights are stored as (outputs, inputs), so a layer's output is `multiply(states, transposed: weights, …)`.
package func multiply(_ a: Matrix, transposed b: Matrix, into target: Matrix) {
  precondition(a.columns == b.columns, "inner dimensions \(a.columns) and \(b.columns) differ")
  precondition(target.rows == a.rows && target.columns == b.rows, "the product does not fit its target")
  product(a, CblasNoTrans, b, CblasTrans, inner: a.columns, into: target)
}

/// target = a · b; a is (m, k), b is (k, n), target is (m, n).
package func multiply(_ a: Matrix, _ b: Matrix, into target: Matrix) {
  precondition(a.columns == b.rows, "inner dimensions \(a.columns) and \(b.rows) differ")
  precondition(target.rows == a.rows && target.columns == b.columns, "the product does not fit its target")
  product(a, CblasNoTrans, b, CblasNoTrans, inner: a.columns, into: target)
}

private func product(
  _ a: Matrix, _ aOrientation: CBLAS_TRANSPOSE, _ b: Matrix, _ bOrientation: CBLAS_TRANSPOSE, inner: Int,
  into target: Matrix
) {
  guard target.rows > 0, target.columns > 0 else { return }
  Parallelism.prepare()
  cblas_sgemm(
    CblasRowMajor, aOrientation, bOrientation, Int32(target.rows), Int32(target.columns), Int32(inner), 1, a.base,
    Int32(max(a.stride, 1)), b.base, Int32(max(b.stride, 1)), 0, target.base, Int32(target.stride))
}
