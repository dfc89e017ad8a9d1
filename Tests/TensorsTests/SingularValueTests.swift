import Tensors
import Testing

/// Shapes: tall, wide, square, thin.
private let shapes = [(40, 17), (17, 40), (24, 24), (30, 1), (1, 9)]

@Suite struct SingularValueTests {
  @Test(arguments: shapes) func errorIsTheDroppedSpectrum(shape: (Int, Int)) throws {
    let matrix = DoubleMatrix.gaussian(rows: shape.0, columns: shape.1, seed: 1)
    let decomposition = try SingularValueDecomposition(matrix)
    let largest = try #require(decomposition.singularValues.first)
    for rank in 0...decomposition.fullRank {
      let error = (matrix - decomposition.truncated(matrix, rank: rank)).frobeniusNorm
      #expect(abs(error - decomposition.truncationError(rank: rank)) < 1e-7 * largest)
    }
  }

  /// Filters of large matrices that are rounded to 16 bits take one product in float32 instead of two in float64.
  @Test(arguments: [(1100, 1024), (1024, 1100)]) func manyDirectionsAtOnceAreThoseOneByOne(shape: (Int, Int)) throws {
    let stored = StoredMatrix(
      rounding: DoubleMatrix.gaussian(rows: shape.0, columns: shape.1, seed: 9), to: .bfloat16)
    let matrix = try stored.doubles(rows: 0..<shape.0, columns: 0..<shape.1)
    let decomposition = try SingularValueDecomposition(matrix)
    let many = (0..<1024).map { [1, 0.9, 0.3, 0, 1.7][$0 % 5] }
    let half = (0..<1024).map { $0 % 2 == 0 ? 0.8 : 1 }
    for factors in [many, half] {
      let exact = decomposition.filter(factors).applied(to: matrix)
      let filter = decomposition.filter(factors, roundedTo: .bfloat16)
      let fast = filter.applied(to: matrix)
      #expect((fast - exact).frobeniusNorm < 4e-6 * (matrix - exact).frobeniusNorm)
      let (a, b) = (StoredMatrix(rounding: fast, to: .bfloat16), StoredMatrix(rounding: exact, to: .bfloat16))
      let numbers = try zip(DoubleMatrix(a.decoded()).elements, DoubleMatrix(b.decoded()).elements)
      #expect(numbers.count { $0 != $1 } < shape.0 * shape.1 / 200)
      // What is stored in float32 goes on in float64, and parts give what the whole gives.
      #expect(decomposition.filter(factors, roundedTo: .float32).applied(to: matrix).elements == exact.elements)
      let isTall = shape.0 > shape.1
      let part = try stored.doubles(rows: isTall ? 300..<700 : 0..<1024, columns: isTall ? 0..<1024 : 300..<700)
      let here = filter.applied(to: part)
      for row in stride(from: 0, to: here.rows, by: 37) {
        for column in stride(from: 0, to: here.columns, by: 41) {
          let place = (row + (isTall ? 300 : 0)) * shape.1 + column + (isTall ? 0 : 300)
          #expect(here.elements[row * here.columns + column] == fast.elements[place])
        }
      }
    }
  }

  @Test(arguments: shapes) func fullRankChangesNothingAndRankZeroIsZero(shape: (Int, Int)) throws {
    let matrix = DoubleMatrix.gaussian(rows: shape.0, columns: shape.1, seed: 2)
    let decomposition = try SingularValueDecomposition(matrix)
    #expect(decomposition.truncated(matrix, rank: decomposition.fullRank).elements == matrix.elements)
    #expect(decomposition.truncated(matrix, rank: 0).frobeniusNorm == 0)
  }

  @Test(arguments: shapes) func truncationHasTheRankAndTheValues(shape: (Int, Int)) throws {
    let matrix = DoubleMatrix.gaussian(rows: shape.0, columns: shape.1, seed: 3)
    let decomposition = try SingularValueDecomposition(matrix)
    let rank = (decomposition.fullRank + 1) / 2
    let again = try SingularValueDecomposition(decomposition.truncated(matrix, rank: rank))
    for (index, value) in again.singularValues.enumerated() {
      let expected = index < rank ? decomposition.singularValues[index] : 0
      #expect(abs(value - expected) < 1e-6 * decomposition.singularValues[0])
    }
  }

  @Test(arguments: shapes) func agreesWithADirectDecomposition(shape: (Int, Int)) throws {
    let matrix = DoubleMatrix.gaussian(rows: shape.0, columns: shape.1, seed: 4)
    let direct = try DirectDecomposition.singularValues(of: matrix)
    let values = try SingularValueDecomposition(matrix).singularValues
    #expect(values.count == direct.count)
    for (value, expected) in zip(values, direct) { #expect(abs(value - expected) < 1e-7 * direct[0]) }
  }

  @Test(arguments: shapes) func partsGiveWhatTheWholeGives(shape: (Int, Int)) throws {
    let stored = StoredMatrix(
      rounding: DoubleMatrix.gaussian(rows: shape.0, columns: shape.1, seed: 5), to: .bfloat16)
    let (rows, columns) = shape
    let matrix = try stored.doubles(rows: 0..<rows, columns: 0..<columns)
    let parts = Parallelism.blocks(of: max(rows, columns), size: 7)
    @Sendable func part(_ range: Range<Int>) throws -> DoubleMatrix {
      let isTall = rows >= columns
      return try stored.doubles(rows: isTall ? range : 0..<rows, columns: isTall ? 0..<columns : range)
    }
    let whole = try SingularValueDecomposition(matrix)
    let decomposition = try SingularValueDecomposition(rows: rows, columns: columns, parts: parts, part)
    for (a, b) in zip(whole.singularValues, decomposition.singularValues) {
      #expect(abs(a - b) < 1e-7 * whole.singularValues[0])
    }
    for rank in [0, decomposition.fullRank / 3, decomposition.fullRank] {
      let once = decomposition.truncated(matrix, rank: rank)
      let byParts = try StoredMatrix(type: .float32, rows: rows, columns: columns, parts: parts) {
        decomposition.truncated(try part($0), rank: rank)
      }
      let numbers = try byParts.doubles(rows: 0..<rows, columns: 0..<columns)
      #expect((once - numbers).frobeniusNorm <= 0x1p-23 * max(1e-300, once.frobeniusNorm))
    }
  }

  @Test func singularMatrixHasZeros() throws {
    let matrix = DoubleMatrix(rows: 3, columns: 3, elements: [1, 2, 3, 2, 4, 6, 0, 0, 0])
    let values = try SingularValueDecomposition(matrix).singularValues
    #expect(abs(values[0] - 70.0.squareRoot()) < 1e-12)
    // √ε σ₁ is what squaring leaves of a zero.
    #expect(values[1] < 1e-6 && values[2] < 1e-6)
  }

  @Test func truncationIsDeterministic() throws {
    let matrix = DoubleMatrix.gaussian(rows: 33, columns: 20, seed: 5)
    let first = try SingularValueDecomposition(matrix).truncated(matrix, rank: 7)
    let second = try SingularValueDecomposition(matrix).truncated(matrix, rank: 7)
    #expect(first.elements == second.elements)
  }
}

extension DoubleMatrix {
  /// Independent normal numbers (sums of twelve uniform ones), the same for a seed on every machine.
  static func gaussian(rows: Int, columns: Int, seed: UInt64) -> DoubleMatrix {
    var state = seed
    func uniform() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) / Double(1 << 53)
    }
    return DoubleMatrix(
      rows: rows, columns: columns,
      elements: (0..<rows * columns).map { _ in (0..<12).reduce(-6) { sum, _ in sum + uniform() } })
  }
}

/// One-sided Jacobi rotations (Golub & Van Loan, §8.6.3): slow, plain, and nothing in common with what is tested.
private enum DirectDecomposition {
  static func singularValues(of matrix: DoubleMatrix) throws -> [Double] {
    let tall = matrix.rows >= matrix.columns
    let (length, count) = tall ? (matrix.rows, matrix.columns) : (matrix.columns, matrix.rows)
    var vectors = (0..<count).map { j in
      (0..<length).map { i in matrix.elements[tall ? i * matrix.columns + j : j * matrix.columns + i] }
    }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    for _ in 0..<60 {
      var isDone = true
      for p in 0..<count {
        for q in p + 1..<max(count, p + 1) {
          let (a, b, c) = (dot(vectors[p], vectors[p]), dot(vectors[q], vectors[q]), dot(vectors[p], vectors[q]))
          guard abs(c) > 1e-15 * (a * b).squareRoot(), c != 0 else { continue }
          isDone = false
          let zeta = (b - a) / (2 * c)
          let tangent = (zeta < 0 ? -1.0 : 1.0) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
          let cosine = 1 / (1 + tangent * tangent).squareRoot()
          let sine = cosine * tangent
          for i in 0..<length {
            let (x, y) = (vectors[p][i], vectors[q][i])
            vectors[p][i] = cosine * x - sine * y
            vectors[q][i] = sine * x + cosine * y
          }
        }
      }
      if isDone { break }
    }
    return vectors.map { dot($0, $0).squareRoot() }.sorted(by: >)
  }
}
