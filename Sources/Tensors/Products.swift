/// target = a · bᵀ, or target += a · bᵀ; a is (m, k), b is (n, k), target is (m, n).
///
/// Weights are stored as (outputs, inputs), so a layer's output is `multiply(states, transposed: weights, …)`. Each
/// number of the result is a sum in one order, whatever the row's place and however many rows there are: a token's
/// states are the same to the bit alone and among others.
package func multiply(_ a: Matrix, transposed b: PackedMatrix, adding: Bool = false, into target: Matrix) {
  precondition(a.columns == b.columns, "inner dimensions \(a.columns) and \(b.columns) differ")
  precondition(target.rows == a.rows && target.columns == b.rows, "the product does not fit its target")
  guard target.rows > 0, target.columns > 0 else { return }
  if a.columns == 0 {
    if !adding { target.fill(0) }
    return
  }
  b.product(a, into: target, adding: adding)
}
