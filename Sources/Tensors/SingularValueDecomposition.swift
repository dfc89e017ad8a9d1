internal import COpenBLAS

/// The singular values of a matrix, and the singular vectors of its shorter side: all that truncation to any rank
/// needs.
///
/// For A (m, n) with m ≥ n, AᵀA = V diag(σ²) Vᵀ is solved in float64 (dsyrk and dsyevd), and the best approximation of
/// rank r (Eckart & Young 1936) is A V_r V_rᵀ; for m < n the same holds on the left with AAᵀ. Against a direct
/// decomposition (dgesdd) this is several times faster; squaring leaves an error of about √ε σ₁ = 1e-8 σ₁ in the
/// smallest singular values, far below the 4e-3 spacing of bfloat16 weights.
///
/// - Complexity: O(max(m, n) · min(m, n)²) time, min(m, n)² numbers kept.
package struct SingularValueDecomposition: Sendable {
  /// σ₁ ≥ σ₂ ≥ …, min(m, n) of them.
  package let singularValues: [Double]
  package let rows: Int
  package let columns: Int
  /// Row i is the i-th right (m ≥ n) or left (m < n) singular vector.
  let vectors: DoubleMatrix

  /// LAPACK could not decompose a matrix.
  package struct Failure: Error, CustomStringConvertible {
    package let routine: String
    package let code: Int
    package var description: String { "LAPACK's \(routine) failed with code \(code)" }
  }

  init(singularValues: [Double], rows: Int, columns: Int, vectors: DoubleMatrix) {
    self.singularValues = singularValues
    self.rows = rows
    self.columns = columns
    self.vectors = vectors
  }

  package init(_ matrix: DoubleMatrix) throws {
    try self.init(rows: matrix.rows, columns: matrix.columns, parts: [0..<max(matrix.rows, matrix.columns)]) {
      _ in matrix
    }
  }

  /// Decomposes a matrix that is made part by part, so that it never exists whole in float64: each part some of its
  /// rows, or some of its columns where there are more of those (`parts` divides the longer side).
  package init(
    rows: Int, columns: Int, parts: [Range<Int>], _ matrix: (Range<Int>) throws -> DoubleMatrix
  ) throws {
    Parallelism.prepare()
    self.rows = rows
    self.columns = columns
    let side = min(rows, columns)
    guard side > 0 else {
      singularValues = []
      vectors = .zeros(rows: 0, columns: 0)
      return
    }
    var gram = [Double](repeating: 0, count: side * side)
    for range in parts {
      let part = try matrix(range)
      let isTall = rows >= columns
      precondition((isTall ? part.columns : part.rows) == side, "a part of another matrix")
      cblas_dsyrk(
        CblasRowMajor, CblasUpper, isTall ? CblasTrans : CblasNoTrans, Int32(side),
        Int32(isTall ? part.rows : part.columns), 1, part.elements, Int32(part.columns), 1, &gram, Int32(side))
    }
    var eigenvalues = [Double](repeating: 0, count: side)
    // The upper triangle in rows is the lower one in LAPACK's columns; eigenvectors come back as columns there, that
    // is, as rows here, in ascending order.
    let code = LAPACKE_dsyevd(
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "L")), Int32(side), &gram, Int32(side),
      &eigenvalues)
    guard code == 0 else { throw Failure(routine: "dsyevd", code: Int(code)) }
    singularValues = eigenvalues.reversed().map { max(0, $0).squareRoot() }
    gram.withUnsafeMutableBufferPointer { rows in
      for row in 0..<side / 2 {
        let opposite = side - 1 - row
        for column in 0..<side { rows.swapAt(row * side + column, opposite * side + column) }
      }
    }
    vectors = DoubleMatrix(rows: side, columns: side, elements: gram)
  }

  package var fullRank: Int { singularValues.count }

  /// ‖A − A_r‖ = √Σ_{i>r} σᵢ², the Frobenius norm of what a truncation drops.
  package func truncationError(rank: Int) -> Double {
    singularValues[rank...].reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// The longer side in parts that bound the memory of what is made in float64, for decomposing and truncating; whole
  /// blocks of every stored type.
  package static func parts(rows: Int, columns: Int) -> [Range<Int>] {
    Parallelism.blocks(of: max(rows, columns), size: max(256, (1 << 22) / max(1, min(rows, columns)) & ~255))
  }

  /// A_r, the best approximation of rank r of the matrix that was decomposed. Rank 0 is zero, full rank the matrix
  /// itself.
  ///
  /// The shorter way is taken: projecting onto the kept vectors, or subtracting the projection onto the dropped ones.
  ///
  /// - Parameter matrix: The matrix, or some rows of a tall one, or some columns of a wide one; the result is the same
  ///   part.
  package func truncated(_ matrix: DoubleMatrix, rank: Int) -> DoubleMatrix {
    precondition(
      rows >= columns ? matrix.columns == columns : matrix.rows == rows, "not the matrix that was decomposed")
    precondition(rank >= 0 && rank <= fullRank, "rank \(rank) of \(fullRank)")
    let keepsLess = rank <= fullRank - rank
    let range = keepsLess ? 0..<rank : rank..<fullRank
    var result = keepsLess ? DoubleMatrix.zeros(rows: matrix.rows, columns: matrix.columns) : matrix
    guard !range.isEmpty, !matrix.elements.isEmpty else { return result }
    let (side, count) = (Int32(fullRank), Int32(range.count))
    let (height, width) = (Int32(matrix.rows), Int32(matrix.columns))
    let factor = keepsLess ? 1.0 : -1.0
    let coordinates = coordinates(of: matrix, along: range).elements
    vectors.elements.withUnsafeBufferPointer { vectors in
      guard let part = vectors.baseAddress?.advanced(by: range.lowerBound * fullRank) else { return }
      result.elements.withUnsafeMutableBufferPointer { result in
        if rows >= columns {
          cblas_dgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, height, width, count, factor, coordinates, count, part, side, 1,
            result.baseAddress, width)
        } else {
          cblas_dgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, height, width, count, factor, part, side, coordinates, width, 1,
            result.baseAddress, width)
        }
      }
    }
    return result
  }

  // MARK: Factors

  /// A V (m ≥ n) or Uᵀ A (m < n) for the singular vectors in a range: of some rows or columns, as for `truncated`.
  private func coordinates(of matrix: DoubleMatrix, along range: Range<Int>) -> DoubleMatrix {
    let isTall = rows >= columns
    var result = DoubleMatrix.zeros(
      rows: isTall ? matrix.rows : range.count, columns: isTall ? range.count : matrix.columns)
    guard !result.elements.isEmpty, !matrix.elements.isEmpty else { return result }
    let (side, count) = (Int32(fullRank), Int32(range.count))
    let (height, width) = (Int32(matrix.rows), Int32(matrix.columns))
    Parallelism.prepare()
    vectors.elements.withUnsafeBufferPointer { vectors in
      guard let part = vectors.baseAddress?.advanced(by: range.lowerBound * fullRank) else { return }
      if isTall {
        cblas_dgemm(
          CblasRowMajor, CblasNoTrans, CblasTrans, height, count, side, 1, matrix.elements, width, part, side, 0,
          &result.elements, count)
      } else {
        cblas_dgemm(
          CblasRowMajor, CblasNoTrans, CblasNoTrans, count, width, side, 1, part, side, matrix.elements, width, 0,
          &result.elements, width)
      }
    }
    return result
  }

  /// The factor of Σ σᵢ uᵢ vᵢᵀ, i in a range, on the longer side: A V / √σ (m ≥ n) or Uᵀ A / √σ (m < n). With
  /// `shortFactor` it makes the product U √σ · √σ Vᵀ, whose two factors have the same norms.
  ///
  /// - Parameter matrix: Some rows or columns, as for `truncated`; the result is the same part.
  package func longFactor(of matrix: DoubleMatrix, along range: Range<Int>) -> DoubleMatrix {
    // A direction that does not count has no length to divide by.
    let scales = range.map { singularValues[$0] > 0 ? 1 / singularValues[$0].squareRoot() : 0 }
    var result = coordinates(of: matrix, along: range)
    for index in result.elements.indices {
      result.elements[index] *= scales[rows >= columns ? index % range.count : index / result.columns]
    }
    return result
  }

  /// The factor on the shorter side, all of it: √σ Vᵀ (k, n) for m ≥ n, U √σ (m, k) for m < n.
  package func shortFactor(along range: Range<Int>) -> DoubleMatrix {
    let isTall = rows >= columns
    var result = DoubleMatrix.zeros(rows: isTall ? range.count : rows, columns: isTall ? columns : range.count)
    for (index, direction) in range.enumerated() {
      let scale = singularValues[direction].squareRoot()
      for place in 0..<fullRank {
        result.elements[isTall ? index * fullRank + place : place * range.count + index] =
          scale * vectors.elements[direction * fullRank + place]
      }
    }
    return result
  }
}
