internal import CKernels

/// A matrix (outputs, inputs) on its way into products.
package enum ProductWeights: Sendable {
  /// Packed once, to be multiplied by many rows.
  case packed(PackedMatrix)
  /// As they are stored, for one row or a few, as when a text is continued token by token: each number is read once,
  /// and expanded where it is used. One that is not finite makes the result so.
  case stored(StoredMatrix)

  package var rows: Int {
    switch self {
    case .packed(let matrix): matrix.rows
    case .stored(let matrix): matrix.rows
    }
  }
}

/// target = a · bᵀ, or target += a · bᵀ; a is (m, k), b is (n, k), target is (m, n).
package func multiply(_ a: Matrix, transposed b: ProductWeights, adding: Bool = false, into target: Matrix) {
  switch b {
  case .packed(let matrix): multiply(a, transposed: matrix, adding: adding, into: target)
  case .stored(let matrix):
    precondition(!adding, "stored weights are used whole")
    multiply(a, transposed: matrix, into: target)
  }
}

private func multiply(_ a: Matrix, transposed b: StoredMatrix, into target: Matrix) {
  precondition(a.columns == b.columns, "inner dimensions \(a.columns) and \(b.columns) differ")
  precondition(target.rows == a.rows && target.columns == b.rows, "the product does not fit its target")
  if let factors = b.factors {
    // a · (left · right)ᵀ = (a · rightᵀ) · leftᵀ: the shorter way, without the matrix itself.
    let inner = Matrix(rows: a.rows, columns: factors.rank)
    multiply(a, transposed: factors.right, into: inner)
    multiply(inner, transposed: factors.left, into: target)
    guard let base = factors.base else { return }
    let outputs = Matrix(rows: a.rows, columns: b.rows)
    multiply(a, transposed: base, into: outputs)
    for row in 0..<a.rows { addRow(outputs[rows: row..<row + 1], to: target[rows: row..<row + 1]) }
    return
  }
  let blocks = Parallelism.blocks(of: b.rows, size: max(1, (1 << 16) / max(1, b.columns)))
  Parallelism.forEach(blocks.count) { index in
    let numbers = Matrix(rows: 1, columns: b.columns)
    for output in blocks[index] {
      // What is not finite goes into the sum as it is.
      _ = b.expand(from: output * b.columns, count: b.columns, into: numbers)
      for row in 0..<a.rows {
        target.base[row * target.stride + output] = laser_dot(a.base + row * a.stride, numbers.base, b.columns)
      }
    }
  }
}
