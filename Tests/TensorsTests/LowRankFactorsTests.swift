import Tensors
import Testing

/// (rows, rank, columns): tall, wide, square, several parts, no rank at all.
private let shapes = [
  (40, 3, 17), (17, 5, 40), (24, 24, 24), (9, 1, 1), (1, 1, 9), (600, 20, 500), (500, 7, 1300), (8, 0, 5),
]

@Suite struct LowRankFactorsTests {
  private func factors(_ shape: (Int, Int, Int), _ type: ElementType = .bfloat16) -> LowRankFactors {
    LowRankFactors(
      left: StoredMatrix(rounding: .gaussian(rows: shape.0, columns: shape.1, seed: 1), to: type),
      right: StoredMatrix(rounding: .gaussian(rows: shape.1, columns: shape.2, seed: 2), to: type))
  }

  /// In float64, and the sum of the magnitudes of what is added up.
  private func product(_ factors: LowRankFactors) throws -> (values: DoubleMatrix, magnitudes: DoubleMatrix) {
    let left = try factors.left.doubles(rows: 0..<factors.rows, columns: 0..<factors.rank)
    let right = try factors.right.doubles(rows: 0..<factors.rank, columns: 0..<factors.columns)
    var values = DoubleMatrix.zeros(rows: factors.rows, columns: factors.columns)
    var magnitudes = values
    for row in 0..<factors.rows {
      for inner in 0..<factors.rank {
        for column in 0..<factors.columns {
          let term = left.elements[row * factors.rank + inner] * right.elements[inner * factors.columns + column]
          values.elements[row * factors.columns + column] += term
          magnitudes.elements[row * factors.columns + column] += abs(term)
        }
      }
    }
    return (values, magnitudes)
  }

  /// Summing r terms in float32 leaves at most r · 2⁻²⁴ of their magnitudes, rounding to the type half its spacing.
  @Test(arguments: shapes, [ElementType.bfloat16, .float16, .float32]) func theMatrixIsTheRoundedProduct(
    _ shape: (Int, Int, Int), _ type: ElementType
  ) throws {
    let factors = factors(shape, type)
    let stored = StoredMatrix(factors)
    #expect((stored.rows, stored.columns, stored.type) == (shape.0, shape.2, type))
    #expect(stored.factors?.rank == shape.1)
    let (expected, magnitudes) = try product(factors)
    let values = try stored.doubles(rows: 0..<shape.0, columns: 0..<shape.2)
    let unit = type == .bfloat16 ? 0x1p-8 : type == .float16 ? 0x1p-11 : 0x1p-24
    for index in values.elements.indices {
      let allowed = magnitudes.elements[index] * Double(shape.1) * 0x1p-24
      let error = abs(values.elements[index] - expected.elements[index])
      #expect(error <= allowed + unit * (abs(expected.elements[index]) + allowed) + 0x1p-25)
    }
  }

  @Test(arguments: shapes) func everyWayToReadItGivesTheSame(_ shape: (Int, Int, Int)) throws {
    let stored = StoredMatrix(factors(shape))
    let bytes = stored.region.withBytes { Array($0) }
    #expect(bytes.count == stored.region.byteCount)
    let dense = StoredMatrix(
      type: stored.type, rows: stored.rows, columns: stored.columns, region: OwnedBytes(bytes))
    let rows = shape.0 / 3..<shape.0
    #expect(try stored.decoded().numbers == dense.decoded().numbers)
    #expect(try stored.decoded(rows: rows).numbers == dense.decoded(rows: rows).numbers)
    #expect(
      try stored.decoded(rowsAt: [Int32(shape.0 - 1), 0]).numbers
        == dense.decoded(rowsAt: [Int32(shape.0 - 1), 0]).numbers)
    // Made again after it was given back.
    stored.release(rows: 0..<stored.rows)
    #expect(stored.region.withBytes { Array($0) } == bytes)
    let states = Matrix(DoubleMatrix.gaussian(rows: 5, columns: shape.2, seed: 3))
    let (a, b) = (Matrix(rows: 5, columns: shape.0), Matrix(rows: 5, columns: shape.0))
    multiply(states, transposed: try PackedMatrix(stored, rows: 0..<shape.0, precision: .float32), into: a)
    multiply(states, transposed: try PackedMatrix(dense, rows: 0..<shape.0, precision: .float32), into: b)
    #expect(a.numbers == b.numbers)
  }

  /// For a token or two the matrix is not made: (a · rightᵀ) · leftᵀ.
  @Test(arguments: shapes) func fewTokensTakeTheShorterWay(_ shape: (Int, Int, Int)) throws {
    let factors = factors(shape, .float32)
    let states = Matrix(DoubleMatrix.gaussian(rows: 2, columns: shape.2, seed: 3))
    let (short, long) = (Matrix(rows: 2, columns: shape.0), Matrix(rows: 2, columns: shape.0))
    multiply(states, transposed: .stored(StoredMatrix(factors)), into: short)
    multiply(
      states, transposed: try PackedMatrix(StoredMatrix(factors), rows: 0..<shape.0, precision: .float32), into: long)
    let scale = long.numbers.map { abs($0) }.max() ?? 0
    for (a, b) in zip(short.numbers, long.numbers) { #expect(abs(a - b) <= 1e-5 * scale) }
  }

  @Test func aNumberThatIsNotFiniteIsFound() throws {
    var numbers = DoubleMatrix.gaussian(rows: 300, columns: 4, seed: 1)
    numbers.elements[4 * 299 + 1] = .nan
    let stored = StoredMatrix(
      LowRankFactors(
        left: StoredMatrix(rounding: numbers, to: .bfloat16),
        right: StoredMatrix(rounding: .gaussian(rows: 4, columns: 50, seed: 2), to: .bfloat16)))
    #expect(throws: StoredMatrix.NotFinite.self) { _ = try stored.decoded() }
    #expect(try stored.decoded(rows: 0..<299).rows == 299)
  }

  @Test func whenFactorsSave() {
    // 3 · 20 < 100 but 5 · 20 is no less.
    #expect(LowRankFactors.largestSavingRank(rows: 10, columns: 10) == 4)
    #expect(LowRankFactors.saveNumbers(rank: 4, rows: 10, columns: 10))
    #expect(!LowRankFactors.saveNumbers(rank: 5, rows: 10, columns: 10))
    #expect(LowRankFactors.largestSavingRank(rows: 1, columns: 9) == 0)
    #expect(!LowRankFactors.saveNumbers(rank: 1, rows: 1, columns: 9))
  }

  /// Kept directions make the truncated matrix, dropped ones the rest; both sides have the same norms.
  @Test(arguments: [(40, 17), (17, 40), (24, 24), (30, 1), (1, 9)]) func factorsOfADecomposition(
    shape: (Int, Int)
  ) throws {
    let matrix = DoubleMatrix.gaussian(rows: shape.0, columns: shape.1, seed: 6)
    let decomposition = try SingularValueDecomposition(matrix)
    let full = decomposition.fullRank
    for rank in Set([0, 1, full / 2, full]) {
      for range in [0..<rank, rank..<full] {
        let (long, short) = (
          decomposition.longFactor(of: matrix, along: range), decomposition.shortFactor(along: range)
        )
        let (left, right) = shape.0 >= shape.1 ? (long, short) : (short, long)
        #expect((left.columns, right.rows) == (range.count, range.count))
        var expected = decomposition.truncated(matrix, rank: rank)
        if range.lowerBound > 0 || rank == 0 && !range.isEmpty { expected = matrix - expected }
        let error = (product(left, right) - expected).frobeniusNorm
        #expect(error < 1e-7 * decomposition.singularValues[0])
        #expect(abs(left.frobeniusNorm - right.frobeniusNorm) <= 1e-6 * (1 + left.frobeniusNorm))
      }
    }
  }

  private func product(_ left: DoubleMatrix, _ right: DoubleMatrix) -> DoubleMatrix {
    var result = DoubleMatrix.zeros(rows: left.rows, columns: right.columns)
    for row in 0..<left.rows {
      for inner in 0..<left.columns {
        for column in 0..<right.columns {
          result.elements[row * right.columns + column] +=
            left.elements[row * left.columns + inner] * right.elements[inner * right.columns + column]
        }
      }
    }
    return result
  }
}

extension Matrix {
  fileprivate init(_ numbers: DoubleMatrix) {
    self.init(rows: numbers.rows, columns: numbers.columns, elements: numbers.elements.map { Float($0) })
  }

  fileprivate var numbers: [Float] { (0..<rows).flatMap { row($0) } }
}
