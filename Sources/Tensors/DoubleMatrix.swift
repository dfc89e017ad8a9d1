internal import COpenBLAS

/// Float64 numbers in rows, as a value: what decompositions are computed in.
package struct DoubleMatrix: Sendable {
  package let rows: Int
  package let columns: Int
  package var elements: [Double]

  package init(rows: Int, columns: Int, elements: [Double]) {
    precondition(elements.count == rows * columns, "\(elements.count) elements for \(rows) × \(columns)")
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  package init(_ matrix: Matrix) {
    var elements: [Double] = []
    elements.reserveCapacity(matrix.rows * matrix.columns)
    for row in 0..<matrix.rows { elements.append(contentsOf: matrix.row(row).lazy.map(Double.init)) }
    self.init(rows: matrix.rows, columns: matrix.columns, elements: elements)
  }

  package static func + (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix { a.combined(with: b, +) }

  package static func - (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix { a.combined(with: b, -) }

  private func combined(with other: DoubleMatrix, _ operation: (Double, Double) -> Double) -> DoubleMatrix {
    precondition(rows == other.rows && columns == other.columns, "shapes differ")
    return DoubleMatrix(rows: rows, columns: columns, elements: zip(elements, other.elements).map(operation))
  }

  /// √Σ aᵢⱼ²
  package var frobeniusNorm: Double { elements.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  package enum Orientation { case asStored, transposed }

  /// self + factor · op(a) · op(b), where op transposes or not.
  package func adding(
    _ factor: Double, _ a: DoubleMatrix, _ aOrientation: Orientation, _ b: DoubleMatrix, _ bOrientation: Orientation
  ) -> DoubleMatrix {
    let inner = aOrientation == .asStored ? a.columns : a.rows
    precondition((aOrientation == .asStored ? a.rows : a.columns) == rows, "rows of the product differ")
    precondition((bOrientation == .asStored ? b.columns : b.rows) == columns, "columns of the product differ")
    precondition((bOrientation == .asStored ? b.rows : b.columns) == inner, "inner dimensions differ")
    guard rows > 0, columns > 0, inner > 0 else { return self }
    var result = self
    result.elements.withUnsafeMutableBufferPointer { c in
      Parallelism.prepare()
      cblas_dgemm(
        CblasRowMajor, aOrientation == .asStored ? CblasNoTrans : CblasTrans,
        bOrientation == .asStored ? CblasNoTrans : CblasTrans, Int32(rows), Int32(columns), Int32(inner), factor,
        a.elements, Int32(a.columns), b.elements, Int32(b.columns), 1, c.baseAddress, Int32(columns))
    }
    return result
  }

  package static func zeros(rows: Int, columns: Int) -> DoubleMatrix {
    DoubleMatrix(rows: rows, columns: columns, elements: Array(repeating: 0, count: rows * columns))
  }
}
