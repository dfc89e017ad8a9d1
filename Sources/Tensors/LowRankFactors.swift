/// A matrix (m, n) of rank r as two thin ones of one type: left (m, r) · right (r, n). Or what such a product adds to a
/// matrix that others share: base (m, n) + left · right.
///
/// The matrix that they make is that sum, in float32, rounded to the factors' type.
package struct LowRankFactors: Sendable {
  package let left: StoredMatrix
  package let right: StoredMatrix
  /// What the product is added to; nil where it is the matrix itself.
  package let base: StoredMatrix?

  package init(left: StoredMatrix, right: StoredMatrix, base: StoredMatrix? = nil) {
    precondition(left.columns == right.rows, "factors of ranks \(left.columns) and \(right.rows)")
    precondition(left.type == right.type && left.type.blockSize == 1, "factors of types that do not fit")
    if let base {
      precondition((base.rows, base.columns) == (left.rows, right.columns), "a base of another shape")
      precondition(base.type.blockSize == 1, "a base of numbers in blocks")
    }
    self.left = left
    self.right = right
    self.base = base
  }

  /// The same factors, added to a base.
  package func added(to base: StoredMatrix) -> LowRankFactors {
    LowRankFactors(left: left, right: right, base: base)
  }

  /// Factors of rank 0: nothing, or the base itself.
  package static func none(rows: Int, columns: Int, type: ElementType) -> LowRankFactors {
    LowRankFactors(
      left: StoredMatrix(type: type, rows: rows, columns: 0, region: OwnedBytes([])),
      right: StoredMatrix(type: type, rows: 0, columns: columns, region: OwnedBytes([])))
  }

  package var rows: Int { left.rows }
  package var columns: Int { right.columns }
  package var rank: Int { left.columns }
  /// Bytes of the factors alone.
  package var byteCount: Int { left.region.byteCount + right.region.byteCount }

  /// Bytes of memory that making the matrix takes, its own among them.
  package var productByteCount: Int {
    left.type.byteCount(of: rows * columns) + MemoryLayout<Float>.stride * 2 * rank * columns
  }

  /// Whether two factors hold fewer numbers than the matrix itself: r (m + n) < m n.
  package static func saveNumbers(rank: Int, rows: Int, columns: Int) -> Bool {
    rank <= largestSavingRank(rows: rows, columns: columns)
  }

  package static func largestSavingRank(rows: Int, columns: Int) -> Int {
    (rows * columns - 1) / max(1, rows + columns)
  }
}

extension StoredMatrix {
  /// A matrix whose bytes are made from its factors when they are asked for, and again after they were released.
  package init(_ factors: LowRankFactors) {
    self.init(
      type: factors.left.type, rows: factors.rows, columns: factors.columns, region: FactorProduct(factors))
  }

  /// The factors of a matrix that is made of them.
  package var factors: LowRankFactors? { (region as? FactorProduct)?.factors }
}

/// The bytes of left · right, or of base + left · right.
private struct FactorProduct: ByteRegion {
  let factors: LowRankFactors
  private let made: MadeBytes
  /// Numbers that a worker makes at once.
  private static let partSize = 1 << 18

  init(_ factors: LowRankFactors) {
    self.factors = factors
    let byteCount = factors.left.type.byteCount(of: factors.rows * factors.columns)
    made = MadeBytes(
      byteCount: byteCount, scratch: factors.productByteCount - byteCount,
      of: [factors.left.region, factors.right.region] + (factors.base.map { [$0.region] } ?? [])
    ) { Self.product(factors) }
  }

  var byteCount: Int { made.byteCount }
  var makingByteCount: Int { made.makingByteCount }
  func release(_ range: Range<Int>) { made.release(range) }
  func readAhead() { made.readAhead() }
  func prepare() { made.prepare() }

  func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try made.withBytes(body)
  }

  /// Part by part of the longer side, on all workers. A number that is not finite stays one, for readers to find.
  private static func product(_ factors: LowRankFactors) -> any ByteRegion {
    let (left, rows, columns) = (factors.left, factors.rows, factors.columns)
    let isTall = rows >= columns
    let whole = isTall ? packed(factors.right, columns: 0..<columns) : nil
    factors.base?.region.prepare()
    do {
      return try StoredMatrix(
        type: left.type, rows: rows, columns: columns,
        parts: Parallelism.blocks(of: max(rows, columns), size: max(64, partSize / max(1, min(rows, columns))))
      ) { part in
        let lines = isTall ? part : 0..<rows
        let numbers = Matrix(rows: lines.count, columns: left.columns)
        _ = left.expand(
          from: lines.lowerBound * left.columns, count: lines.count * left.columns, into: numbers)
        let right = whole ?? packed(factors.right, columns: part)
        let values = Matrix(rows: lines.count, columns: right.rows)
        multiply(numbers, transposed: right, into: values)
        if let base = factors.base { add(base, from: isTall ? 0 : part.lowerBound, rows: lines, to: values) }
        return DoubleMatrix(values)
      }.region
    } catch { preconditionFailure("no part of a product fails: \(error)") }
  }

  /// Adds some rows of a matrix, from some column on, to as many numbers.
  private static func add(_ base: StoredMatrix, from column: Int, rows: Range<Int>, to values: Matrix) {
    let line = Matrix(rows: 1, columns: values.columns)
    for (index, row) in rows.enumerated() {
      _ = base.expand(from: row * base.columns + column, count: values.columns, into: line)
      let target = values.base + index * values.stride
      for place in 0..<values.columns { target[place] += line.base[place] }
    }
  }

  /// rightᵀ (n, r), of some of its n, on its way into products.
  private static func packed(_ right: StoredMatrix, columns: Range<Int>) -> PackedMatrix {
    let transposed = Matrix(rows: columns.count, columns: right.rows)
    let line = Matrix(rows: 1, columns: columns.count)
    for row in 0..<right.rows {
      _ = right.expand(from: row * right.columns + columns.lowerBound, count: columns.count, into: line)
      for column in 0..<columns.count { transposed.base[column * right.rows + row] = line.base[column] }
    }
    return PackedMatrix(transposed)
  }
}
