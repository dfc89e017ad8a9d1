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
    rows = matrix.rows
    columns = matrix.columns
    elements = Array(unsafeUninitializedCapacity: matrix.rows * matrix.columns) { buffer, count in
      for row in 0..<matrix.rows {
        let source = matrix.base + row * matrix.stride
        for column in 0..<matrix.columns {
          buffer.initializeElement(at: row * matrix.columns + column, to: Double(source[column]))
        }
      }
      count = matrix.rows * matrix.columns
    }
  }

  package static func + (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix { a.combined(with: b, +) }

  package static func - (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix { a.combined(with: b, -) }

  private func combined(with other: DoubleMatrix, _ operation: (Double, Double) -> Double) -> DoubleMatrix {
    precondition(rows == other.rows && columns == other.columns, "shapes differ")
    var result = self
    result.elements.withUnsafeMutableBufferPointer { a in
      other.elements.withUnsafeBufferPointer { b in
        for index in a.indices { a[index] = operation(a[index], b[index]) }
      }
    }
    return result
  }

  /// √Σ aᵢⱼ²
  package var frobeniusNorm: Double { elements.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  package static func zeros(rows: Int, columns: Int) -> DoubleMatrix {
    DoubleMatrix(rows: rows, columns: columns, elements: Array(repeating: 0, count: rows * columns))
  }
}
