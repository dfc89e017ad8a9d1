import Tensors
import Testing

/// (rows, inner dimension, columns): within a tile, whole tiles, edges on every side, several blocks of each.
private let shapes = [
  (1, 1, 1), (5, 7, 3), (12, 256, 32), (13, 64, 33), (240, 300, 96), (251, 515, 70), (500, 1100, 40),
]

@Suite struct ProductTests {
  @Test(arguments: shapes) func floatProductsAreThoseOfFloat64(shape: (Int, Int, Int)) {
    let (rows, inner, columns) = shape
    let a = Matrix.uniform(rows: rows, columns: inner, seed: 1)
    let b = Matrix.uniform(rows: columns, columns: inner, seed: 2)
    let product = Matrix(rows: rows, columns: columns)
    multiply(a, transposed: PackedMatrix(b), into: product)
    // k additions of numbers whose magnitudes sum to at most k, each rounded by half an ulp: k · k · 2⁻²⁴ at worst; roundings
    // are random in sign, so √k · k is ample.
    let tolerance = Double(inner) * Double(inner).squareRoot() * 0x1p-24
    #expect(largestError(product, a, b) <= tolerance)
  }

  /// Both operands are rounded to 8 bits: relative 2⁻⁹ each, random in sign, so √k of them beside the sum's own error.
  @Test(arguments: shapes) func bfloat16ProductsAreThoseOfRoundedNumbers(shape: (Int, Int, Int)) {
    let (rows, inner, columns) = shape
    let a = Matrix.uniform(rows: rows, columns: inner, seed: 3)
    let b = Matrix.uniform(rows: columns, columns: inner, seed: 4)
    let product = Matrix(rows: rows, columns: columns)
    let packed = PackedMatrix(b, precision: .bfloat16)
    multiply(a, transposed: packed, into: product)
    #expect(packed.precision == Precision.bfloat16.here)
    let isRounded = packed.precision == .bfloat16
    let (x, y) = isRounded ? (a.roundedToBFloat16, b.roundedToBFloat16) : (a, b)
    let tolerance = Double(inner) * Double(inner).squareRoot() * 0x1p-23
    #expect(largestError(product, x, y) <= tolerance)
    #expect(largestError(product, a, b) <= Double(inner).squareRoot() * 8 * 0x1p-8)
  }

  @Test(arguments: Precision.allCases) func aRowIsTheSameToTheBitAnywhere(precision: Precision) {
    let a = Matrix.uniform(rows: 500, columns: 600, seed: 5)
    let packed = PackedMatrix(Matrix.uniform(rows: 75, columns: 600, seed: 6), precision: precision)
    let whole = Matrix(rows: 500, columns: 75)
    multiply(a, transposed: packed, into: whole)
    for rows in [0..<1, 3..<4, 7..<30, 238..<243, 499..<500] {
      let part = Matrix(rows: rows.count, columns: 75)
      multiply(a[rows: rows], transposed: packed, into: part)
      for row in rows { #expect(part.row(row - rows.lowerBound) == whole.row(row)) }
    }
  }

  @Test(arguments: Precision.allCases) func productsAddUp(precision: Precision) {
    let a = Matrix.uniform(rows: 30, columns: 90, seed: 7)
    let packed = PackedMatrix(Matrix.uniform(rows: 45, columns: 90, seed: 8), precision: precision)
    let once = Matrix(rows: 30, columns: 45)
    multiply(a, transposed: packed, into: once)
    let twice = once.copy()
    multiply(a, transposed: packed, adding: true, into: twice)
    for row in 0..<30 { #expect(twice.row(row) == once.row(row).map { 2 * $0 }) }
  }

  @Test(arguments: ElementType.testable, Precision.allCases)
  func storedMatricesPackAsTheirNumbers(type: ElementType, precision: Precision) throws {
    let numbers = DoubleMatrix.gaussian(rows: 70, columns: 301, seed: 9)
    let stored = StoredMatrix(rounding: numbers, to: type)
    let a = Matrix.uniform(rows: 20, columns: 301, seed: 10)
    let fromStored = Matrix(rows: 20, columns: 50)
    let fromNumbers = Matrix(rows: 20, columns: 50)
    multiply(a, transposed: try PackedMatrix(stored, rows: 15..<65, precision: precision), into: fromStored)
    multiply(
      a, transposed: PackedMatrix(try stored.decoded(rows: 15..<65), precision: precision), into: fromNumbers)
    for row in 0..<20 { #expect(fromStored.row(row) == fromNumbers.row(row)) }
  }

  /// Panels of 32 rows lie across the seams.
  @Test(arguments: Precision.allCases)
  func matricesPackOnTopOfEachOther(precision: Precision) throws {
    let parts = [(45, 11), (7, 12), (50, 13)].map { rows, seed in
      StoredMatrix(
        rounding: DoubleMatrix.gaussian(rows: rows, columns: 90, seed: UInt64(seed)), to: .bfloat16)
    }
    let a = Matrix.uniform(rows: 20, columns: 60, seed: 14)
    let stacked = Matrix(rows: 20, columns: 43 + 5 + 48)
    multiply(
      a,
      transposed: try PackedMatrix(
        parts.map { StoredRows($0, 1..<$0.rows - 1) }, columns: 20..<80, precision: precision),
      into: stacked)
    var start = 0
    for part in parts {
      let alone = Matrix(rows: 20, columns: part.rows - 2)
      multiply(
        a, transposed: try PackedMatrix(part, rows: 1..<part.rows - 1, columns: 20..<80, precision: precision),
        into: alone)
      for row in 0..<20 { #expect(stacked[columns: start..<start + alone.columns].row(row) == alone.row(row)) }
      start += alone.columns
    }
  }

  @Test(arguments: shapes) func packingATransposeIsPackingWhatIsTransposed(shape: (Int, Int, Int)) {
    let (rows, inner, columns) = shape
    let a = Matrix.uniform(rows: rows, columns: inner, seed: 15)
    let larger = Matrix.uniform(rows: inner + 2, columns: columns + 7, seed: 16)
    let b = larger[rows: 1..<inner + 1][columns: 3..<columns + 3]
    let explicit = Matrix(rows: columns, columns: inner)
    for row in 0..<columns {
      for column in 0..<inner { explicit[row, column] = b[column, row] }
    }
    let packed = PackedMatrix(transposing: b)
    #expect(packed.rows == columns && packed.columns == inner)
    let (found, expected) = (Matrix(rows: rows, columns: columns), Matrix(rows: rows, columns: columns))
    multiply(a, transposed: packed, into: found)
    multiply(a, transposed: PackedMatrix(explicit), into: expected)
    for row in 0..<rows { #expect(found.row(row) == expected.row(row)) }
  }

  @Test func packingFindsWhatIsNotANumber() {
    let bytes = [UInt8](repeating: 0, count: 2 * 40 * 300 - 2) + [0xC0, 0x7F]
    let stored = StoredMatrix(type: .bfloat16, rows: 40, columns: 300, region: OwnedBytes(bytes))
    #expect(throws: StoredMatrix.NotFinite.self) {
      try PackedMatrix(stored, rows: 0..<40, precision: .bfloat16)
    }
    #expect(throws: Never.self) { try PackedMatrix(stored, rows: 0..<39, precision: .bfloat16) }
  }

  private func largestError(_ product: Matrix, _ a: Matrix, _ b: Matrix) -> Double {
    var largest = 0.0
    let others = (0..<b.rows).map(b.row)
    for i in 0..<a.rows {
      let (row, found) = (a.row(i), product.row(i))
      for (j, other) in others.enumerated() {
        var sum = 0.0
        for k in row.indices { sum += Double(row[k]) * Double(other[k]) }
        largest = max(largest, abs(sum - Double(found[j])))
      }
    }
    return largest
  }
}

/// (tokens, query heads, key-value heads, head dimension, sight)
private let attentions = [
  (1, 2, 1, 16, Int.max), (70, 4, 2, 32, Int.max), (150, 3, 3, 64, Int.max), (97, 2, 1, 80, Int.max),
  (200, 2, 1, 32, 41),
  (130, 2, 2, 16, 1),
]

@Suite struct AttentionTests {
  @Test(arguments: attentions) func attentionIsItsFormula(shape: (Int, Int, Int, Int, Int)) {
    let (tokens, heads, sharedHeads, dimension, sight) = shape
    let queries = Matrix.uniform(rows: tokens, columns: heads * dimension, seed: 1)
    let keys = Matrix.uniform(rows: tokens, columns: sharedHeads * dimension, seed: 2)
    let values = Matrix.uniform(rows: tokens, columns: sharedHeads * dimension, seed: 3)
    let context = Matrix(rows: tokens, columns: heads * dimension)
    attend(
      queries: queries, keys: keys, values: values, scoring: .init(dimension: dimension, sight: sight), into: context)
    var largest = 0.0
    for token in 0..<tokens {
      let first = sight > token ? 0 : token - sight + 1
      for head in 0..<heads {
        let shared = head / (heads / sharedHeads) * dimension
        let scores = (first...token).map { key in
          (0..<dimension).reduce(0.0) {
            $0 + Double(queries[token, head * dimension + $1]) * Double(keys[key, shared + $1])
          } / Double(dimension).squareRoot()
        }
        let sum = scores.reduce(0) { $0 + exponential($1) }
        for i in 0..<dimension {
          let expected = zip(scores, first...token).reduce(0.0) {
            $0 + exponential($1.0) * Double(values[$1.1, shared + i])
          }
          largest = max(largest, abs(expected / sum - Double(context[token, head * dimension + i])))
        }
      }
    }
    // Weights sum to 1 and values are within ±1: a few roundings of each weight, more for the sums of up to 200.
    #expect(largest < 200 * 0x1p-24)
  }

  /// exp in float64, by its series at x / 16.
  private func exponential(_ x: Double) -> Double {
    var (term, sum) = (1.0, 1.0)
    for n in 1..<30 {
      term *= x / 16 / Double(n)
      sum += term
    }
    return (0..<4).reduce(sum) { power, _ in power * power }
  }
}

extension ElementType {
  fileprivate static let testable: [ElementType] = [.bfloat16, .float16, .float32]
}

extension Matrix {
  /// To nearest, ties to even.
  fileprivate var roundedToBFloat16: Matrix {
    let elements = (0..<rows).flatMap(row).map { value -> Float in
      let bits = value.bitPattern
      return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16) & 1) & 0xFFFF_0000)
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }
}
