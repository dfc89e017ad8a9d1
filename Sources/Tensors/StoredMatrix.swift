internal import CKernels
internal import Synchronization

/// A matrix as a checkpoint holds it: (rows, columns) numbers of one type, row-major, little-endian. A row is a whole
/// number of the type's blocks.
///
/// A reduced matrix is one of these too, so that what is evaluated is what will be written, bit for bit.
package struct StoredMatrix: Sendable {
  package let type: ElementType
  package let rows: Int
  package let columns: Int
  package let region: any ByteRegion

  /// A stored matrix holds a NaN or an infinity.
  package struct NotFinite: Error {}

  package init(type: ElementType, rows: Int, columns: Int, region: any ByteRegion) {
    precondition(columns.isMultiple(of: type.blockSize), "a row is no whole number of blocks")
    precondition(region.byteCount == type.byteCount(of: rows * columns), "bytes do not fit the shape")
    self.type = type
    self.rows = rows
    self.columns = columns
    self.region = region
  }

  /// Rounds to the nearest numbers of `type`, ties to even; types in blocks are quantised from float32 as ggml's
  /// reference code does.
  package init(rounding values: DoubleMatrix, to type: ElementType) {
    let bytes = [UInt8](unsafeUninitializedCapacity: type.byteCount(of: values.elements.count)) { buffer, count in
      if let target = buffer.baseAddress {
        Self.round(values, to: type, at: target, stride: type.byteCount(of: values.columns))
      }
      count = type.byteCount(of: values.elements.count)
    }
    self.init(type: type, rows: values.rows, columns: values.columns, region: OwnedBytes(bytes))
  }

  /// Rounds numbers that are made part by part, on all workers: each part some of the rows, or some of the columns
  /// where there are more of those; of a type in blocks, whole blocks of columns.
  package init(
    type: ElementType, rows: Int, columns: Int, parts: [Range<Int>],
    _ values: @Sendable (Range<Int>) throws -> DoubleMatrix
  ) throws {
    precondition(parts.reduce(0) { $0 + $1.count } == max(rows, columns), "parts do not cover the matrix")
    let failure = Mutex<(any Error)?>(nil)
    let bytes = [UInt8](unsafeUninitializedCapacity: type.byteCount(of: rows * columns)) { buffer, count in
      nonisolated(unsafe) let target = buffer.baseAddress
      Parallelism.forEach(parts.count) { index in
        guard let target else { return }
        do {
          let values = try values(parts[index])
          let (row, column) = rows >= columns ? (parts[index].lowerBound, 0) : (0, parts[index].lowerBound)
          precondition(row + values.rows <= rows && column + values.columns <= columns, "a part outside the matrix")
          precondition(column.isMultiple(of: type.blockSize) && values.columns.isMultiple(of: type.blockSize))
          Self.round(
            values, to: type, at: target + type.byteCount(of: row * columns + column),
            stride: type.byteCount(of: columns))
        } catch { failure.withLock { $0 = error } }
      }
      count = failure.withLock { $0 == nil } ? type.byteCount(of: rows * columns) : 0
    }
    if let failure = failure.withLock(\.self) { throw failure }
    self.init(type: type, rows: rows, columns: columns, region: OwnedBytes(bytes))
  }

  /// Rounds rows of numbers; a row begins `stride` bytes after the one before it.
  private static func round(
    _ values: DoubleMatrix, to type: ElementType, at target: UnsafeMutablePointer<UInt8>, stride: Int
  ) {
    let length = values.columns
    values.elements.withUnsafeBufferPointer { source in
      guard let source = source.baseAddress else { return }
      for row in 0..<values.rows {
        switch type {
        case .bfloat16: laser_round_bf16(source + row * length, target + row * stride, length)
        case .float16: laser_round_f16(source + row * length, target + row * stride, length)
        case .float32: laser_round_f32(source + row * length, target + row * stride, length)
        default:
          let numbers = (0..<length).map { Float(source[row * length + $0]) }
          type.quantize(numbers, importance: nil, at: target + row * stride, count: length)
        }
      }
    }
  }

  /// The same numbers as another type holds them, rounded as `init(rounding:to:)` does, on all workers.
  ///
  /// - Parameter importance: How much the error of each column's numbers counts, for types in blocks; nil where that is
  ///   not known.
  /// - Throws: `NotFinite` if a number is not finite.
  package func converted(to type: ElementType, importance: [Float]? = nil) throws(NotFinite) -> StoredMatrix {
    precondition(importance.map { $0.count == columns } ?? true, "an importance of another width")
    let rowBytes = type.byteCount(of: columns)
    let blocks = Parallelism.blocks(of: rows, size: max(1, 1 << 16 / max(1, columns)))
    let isFinite = Mutex(true)
    region.prepare()
    let bytes = [UInt8](unsafeUninitializedCapacity: rowBytes * rows) { buffer, count in
      nonisolated(unsafe) let target = buffer.baseAddress
      Parallelism.forEach(blocks.count) { index in
        guard let target else { return }
        let numbers = Matrix(unfilled: 1, columns: columns)
        for row in blocks[index] {
          guard expand(from: row * columns, count: columns, into: numbers) else {
            isFinite.withLock { $0 = false }
            return
          }
          type.round(numbers.base, importance: importance, at: target + row * rowBytes, count: columns)
        }
      }
      count = isFinite.withLock { $0 } ? rowBytes * rows : 0
    }
    guard isFinite.withLock({ $0 }) else { throw NotFinite() }
    return StoredMatrix(type: type, rows: rows, columns: columns, region: OwnedBytes(bytes))
  }

  /// Whether another matrix has the same type, shape and bytes. The memory of both is given back.
  package func holdsSame(as other: StoredMatrix) -> Bool {
    guard (type, rows, columns) == (other.type, other.rows, other.columns) else { return false }
    defer { for matrix in [self, other] { matrix.release(rows: 0..<rows) } }
    return region.holdsSame(as: other.region)
  }

  /// Gives back the memory of some rows, if they can be read again from a file.
  package func release(rows range: Range<Int>) {
    region.release(type.byteCount(of: range.lowerBound * columns)..<type.byteCount(of: range.upperBound * columns))
  }

  /// The numbers of some rows in float32, which holds every stored type exactly.
  package func decoded(rows range: Range<Int>? = nil) throws(NotFinite) -> Matrix {
    let range = range ?? 0..<rows
    let result = Matrix(unfilled: range.count, columns: columns)
    try decode(rows: range, into: result)
    return result
  }

  package func decode(rows range: Range<Int>, into target: Matrix) throws(NotFinite) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows outside the matrix")
    precondition(target.rows == range.count && target.columns == columns && target.isContiguous)
    region.prepare()
    let blocks = Parallelism.blocks(of: range.count, size: max(1, 1 << 18 / max(1, columns)))
    let finite = Parallelism.map(blocks) { block in
      expand(
        from: (range.lowerBound + block.lowerBound) * columns, count: block.count * columns, into: target[rows: block])
    }
    guard finite.allSatisfy(\.self) else { throw NotFinite() }
  }

  /// The numbers of some columns in float32: (rows, those columns).
  package func decoded(columns part: Range<Int>) throws(NotFinite) -> Matrix {
    precondition(part.lowerBound >= 0 && part.upperBound <= columns, "columns outside the matrix")
    region.prepare()
    let result = Matrix(unfilled: rows, columns: part.count)
    let blocks = Parallelism.blocks(of: rows, size: max(1, 1 << 18 / max(1, part.count)))
    let finite = Parallelism.map(blocks) { block in
      block.allSatisfy { row in
        expand(from: row * columns + part.lowerBound, count: part.count, into: result[rows: row..<row + 1])
      }
    }
    guard finite.allSatisfy(\.self) else { throw NotFinite() }
    return result
  }

  /// The numbers of some rows and columns in float64.
  package func doubles(rows: Range<Int>, columns part: Range<Int>) throws(NotFinite) -> DoubleMatrix {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows outside the matrix")
    precondition(part.lowerBound >= 0 && part.upperBound <= columns, "columns outside the matrix")
    region.prepare()
    var isFinite = true
    let elements = [Double](unsafeUninitializedCapacity: rows.count * part.count) { buffer, count in
      let numbers = Matrix(rows: 1, columns: part.count)
      for (index, row) in rows.enumerated() where isFinite {
        isFinite = expand(from: row * columns + part.lowerBound, count: part.count, into: numbers)
        for column in 0..<part.count {
          buffer.initializeElement(at: index * part.count + column, to: Double(numbers.base[column]))
        }
      }
      count = isFinite ? rows.count * part.count : 0
    }
    guard isFinite else { throw NotFinite() }
    return DoubleMatrix(rows: rows.count, columns: part.count, elements: elements)
  }

  /// Row i of the result is row indices[i]: how token embeddings are looked up.
  package func decoded(rowsAt indices: [Int32]) throws(NotFinite) -> Matrix {
    precondition(indices.allSatisfy { $0 >= 0 && $0 < rows }, "a row outside the matrix")
    region.prepare()
    let result = Matrix(unfilled: indices.count, columns: columns)
    let finite = Parallelism.map(Parallelism.blocks(of: indices.count, size: 1024)) { block in
      block.allSatisfy { expand(from: Int(indices[$0]) * columns, count: columns, into: result[rows: $0..<$0 + 1]) }
    }
    guard finite.allSatisfy(\.self) else { throw NotFinite() }
    return result
  }

  /// Writes the numbers from one on, in the order of rows, to the start of a target that is contiguous; returns whether
  /// all are finite.
  func expand(from element: Int, count: Int, into target: Matrix) -> Bool {
    precondition(element >= 0 && element + count <= rows * columns && count <= target.rows * target.columns)
    // Whole blocks around the numbers, where these are not whole blocks themselves.
    let before = element % type.blockSize
    let after = -(element + count) & (type.blockSize - 1)
    guard before == 0, after == 0 else {
      let around = Matrix(rows: 1, columns: before + count + after)
      let isFinite = expand(from: element - before, count: around.columns, into: around)
      target.base.update(from: around.base + before, count: count)
      return isFinite
    }
    return region.withBytes { bytes in
      guard let source = bytes.baseAddress?.advanced(by: type.byteCount(of: element)) else { return true }
      return type.expand(source, target.base, count)
    }
  }
}
