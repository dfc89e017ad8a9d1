internal import CKernels

/// A matrix as a checkpoint holds it: (rows, columns) numbers of one type, row-major, little-endian.
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
    precondition(region.byteCount == rows * columns * type.byteCount, "bytes do not fit the shape")
    self.type = type
    self.rows = rows
    self.columns = columns
    self.region = region
  }

  /// Rounds to the nearest numbers of `type`, ties to even.
  package init(rounding values: DoubleMatrix, to type: ElementType) {
    let count = values.rows * values.columns
    let bytes = [UInt8](unsafeUninitializedCapacity: count * type.byteCount) { buffer, initializedCount in
      if let target = buffer.baseAddress {
        values.elements.withUnsafeBufferPointer { source in
          guard let source = source.baseAddress else { return }
          switch type {
          case .bfloat16: laser_round_bf16(source, target, count)
          case .float16: laser_round_f16(source, target, count)
          case .float32: laser_round_f32(source, target, count)
          }
        }
      }
      initializedCount = count * type.byteCount
    }
    self.init(type: type, rows: values.rows, columns: values.columns, region: OwnedBytes(bytes))
  }

  /// The numbers of some rows in float32, which holds every stored type exactly.
  package func decoded(rows range: Range<Int>? = nil) throws(NotFinite) -> Matrix {
    let range = range ?? 0..<rows
    let result = Matrix(rows: range.count, columns: columns)
    try decode(rows: range, into: result)
    return result
  }

  package func decode(rows range: Range<Int>, into target: Matrix) throws(NotFinite) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows outside the matrix")
    precondition(target.rows == range.count && target.columns == columns && target.isContiguous)
    let blocks = Parallelism.blocks(of: range.count, size: max(1, 1 << 18 / max(1, columns)))
    let finite = Parallelism.map(blocks) { block in
      expand(
        from: (range.lowerBound + block.lowerBound) * columns, count: block.count * columns, into: target[rows: block])
    }
    guard finite.allSatisfy(\.self) else { throw NotFinite() }
  }

  /// Row i of the result is row indices[i]: how token embeddings are looked up.
  package func decoded(rowsAt indices: [Int32]) throws(NotFinite) -> Matrix {
    precondition(indices.allSatisfy { $0 >= 0 && $0 < rows }, "a row outside the matrix")
    let result = Matrix(rows: indices.count, columns: columns)
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
    return region.withBytes { bytes in
      guard let source = bytes.baseAddress?.advanced(by: element * type.byteCount) else { return true }
      return switch type {
      case .bfloat16: laser_expand_bf16(source, target.base, count)
      case .float16: laser_expand_f16(source, target.base, count)
      case .float32: laser_expand_f32(source, target.base, count)
      }
    }
  }
}
