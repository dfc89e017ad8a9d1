internal import COpenBLAS

extension SingularValueDecomposition {
  /// This decomposition with other directions: as many orthonormal vectors, drawn at random. Truncation then drops
  /// random directions instead of the weakest.
  ///
  /// Q of the QR decomposition of a Gaussian matrix, with the signs that make it uniform over all rotations (Mezzadri
  /// 2007); the same for a seed on every machine, up to rounding.
  package func withRandomDirections(seed: UInt64) throws(Failure) -> SingularValueDecomposition {
    let side = fullRank
    guard side > 0 else { return self }
    var generator = SplitMix64(seed: seed)
    var matrix = (0..<side * side).map { _ in generator.nextNormal() }
    var reflectors = [Double](repeating: 0, count: side)
    var code = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, Int32(side), Int32(side), &matrix, Int32(side), &reflectors)
    guard code == 0 else { throw Failure(routine: "dgeqrf", code: Int(code)) }
    let signs = (0..<side).map { matrix[$0 * side + $0] < 0 ? -1.0 : 1 }
    code = LAPACKE_dorgqr(
      LAPACK_COL_MAJOR, Int32(side), Int32(side), Int32(side), &matrix, Int32(side), &reflectors)
    guard code == 0 else { throw Failure(routine: "dorgqr", code: Int(code)) }
    // LAPACK's columns are rows here.
    for row in 0..<side where signs[row] < 0 {
      for column in 0..<side { matrix[row * side + column] *= -1 }
    }
    return SingularValueDecomposition(
      singularValues: singularValues, rows: rows, columns: columns,
      vectors: DoubleMatrix(rows: side, columns: side, elements: matrix))
  }
}
