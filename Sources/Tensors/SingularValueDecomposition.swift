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

  /// One that was made elsewhere.
  ///
  /// - Parameter vectorElements: Row by row: see `vectorElements`.
  package init(singularValues: [Double], rows: Int, columns: Int, vectorElements: [Double]) {
    precondition(singularValues.count == min(rows, columns), "not all singular values")
    self.init(
      singularValues: singularValues, rows: rows, columns: columns,
      vectors: DoubleMatrix(rows: singularValues.count, columns: singularValues.count, elements: vectorElements))
  }

  /// The singular vectors of the shorter side, one after another.
  package var vectorElements: [Double] { vectors.elements }

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
  /// - Parameter matrix: The matrix, or some rows of a tall one, or some columns of a wide one; the result is the
  ///   same part.
  package func truncated(_ matrix: DoubleMatrix, rank: Int) -> DoubleMatrix {
    precondition(rank >= 0 && rank <= fullRank, "rank \(rank) of \(fullRank)")
    return filter((0..<fullRank).map { $0 < rank ? 1 : 0 }).applied(to: matrix)
  }
}
