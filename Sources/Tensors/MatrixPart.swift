internal import CKernels

/// Which numbers of a stored matrix make another one: every so many rows or columns, in their place or transposed. So
/// gates and up projections are stored whose rows take turns, and experts that are stored as (inputs, outputs).
package struct MatrixPart: Sendable, Hashable {
  package enum Axis: Sendable { case rows, columns }

  /// What is counted: rows or columns of the stored matrix, all of the other.
  package let axis: Axis
  package let first: Int
  /// From one to the next.
  package let step: Int
  package let count: Int
  /// Whether rows of the part are columns of the stored matrix.
  package let isTransposed: Bool

  package init(_ axis: Axis, from first: Int = 0, step: Int = 1, count: Int, isTransposed: Bool = false) {
    precondition(first >= 0 && step > 0 && count >= 0)
    (self.axis, self.first, self.step, self.count, self.isTransposed) = (axis, first, step, count, isTransposed)
  }

  /// Rows and columns of the part of a matrix.
  package func shape(rows: Int, columns: Int) -> (rows: Int, columns: Int) {
    let kept = axis == .rows ? (count, columns) : (rows, count)
    return isTransposed ? (kept.1, kept.0) : kept
  }

  /// Past the last row or column that is counted.
  private var end: Int { count == 0 ? first : first + (count - 1) * step + 1 }

  /// Where the part's number (0, 0) is in the stored matrix, and how far the next row and column are, in numbers.
  private func strides(columns: Int) -> (start: Int, row: Int, column: Int) {
    let strides = axis == .rows ? (first * columns, step * columns, 1) : (first, columns, step)
    return isTransposed ? (strides.0, strides.2, strides.1) : strides
  }

  /// Lines of the part that a worker copies at once.
  private static let block = 64

  /// The part's numbers, one after another.
  fileprivate func gathered(from stored: StoredMatrix) -> any ByteRegion {
    let shape = shape(rows: stored.rows, columns: stored.columns)
    let size = stored.type.blockByteCount
    let blocks = Parallelism.blocks(of: shape.rows, size: Self.block)
    stored.region.prepare()
    let bytes = [UInt8](unsafeUninitializedCapacity: shape.rows * shape.columns * size) { buffer, count in
      nonisolated(unsafe) let target = buffer.baseAddress
      Parallelism.forEach(blocks.count) { index in
        stored.region.withBytes { source in
          guard let target, let source = source.baseAddress else { return }
          let place = strides(columns: stored.columns)
          let row = blocks[index].lowerBound
          laser_copy_strided(
            source + (place.start + row * place.row) * size, place.row, place.column,
            target + row * shape.columns * size, shape.columns, 1, blocks[index].count, shape.columns, size)
        }
      }
      count = shape.rows * shape.columns * size
    }
    return OwnedBytes(bytes)
  }

  /// Puts a matrix in the part's place among the bytes of a stored one of that many columns.
  fileprivate func scatter(_ matrix: StoredMatrix, into bytes: inout [UInt8], columns: Int) {
    let size = matrix.type.blockByteCount
    let place = strides(columns: columns)
    let blocks = Parallelism.blocks(of: matrix.rows, size: Self.block)
    matrix.region.prepare()
    bytes.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let target = buffer.baseAddress
      Parallelism.forEach(blocks.count) { index in
        matrix.region.withBytes { source in
          guard let target, let source = source.baseAddress else { return }
          let row = blocks[index].lowerBound
          laser_copy_strided(
            source + row * matrix.columns * size, matrix.columns, 1,
            target + (place.start + row * place.row) * size, place.row, place.column, blocks[index].count,
            matrix.columns, size)
        }
      }
    }
  }

  fileprivate func check(_ stored: StoredMatrix) {
    precondition(stored.type.blockSize == 1, "numbers in blocks are not copied one by one")
    precondition(end <= (axis == .rows ? stored.rows : stored.columns), "a part outside the matrix")
  }
}

extension StoredMatrix {
  /// A part of a stored matrix; its bytes are copied when they are asked for.
  package init(_ part: MatrixPart, of stored: StoredMatrix) {
    part.check(stored)
    let shape = part.shape(rows: stored.rows, columns: stored.columns)
    self.init(
      type: stored.type, rows: shape.rows, columns: shape.columns,
      region: MadeBytes(byteCount: stored.type.byteCount(of: shape.rows * shape.columns), of: [stored.region]) {
        part.gathered(from: stored)
      })
  }

  /// The matrix with other numbers in the place of some parts; its bytes are made when they are asked for.
  package func replacing(_ parts: [(part: MatrixPart, matrix: StoredMatrix)]) -> StoredMatrix {
    for (part, matrix) in parts {
      part.check(self)
      let shape = part.shape(rows: rows, columns: columns)
      precondition(
        matrix.type == type && matrix.rows == shape.rows && matrix.columns == shape.columns,
        "a replacement has another type or shape than its part")
    }
    let (original, columns) = (region, columns)
    let made = MadeBytes(byteCount: region.byteCount, of: [region] + parts.map(\.matrix.region)) {
      original.prepare()
      var bytes = original.withBytes { Array($0) }
      for (part, matrix) in parts { part.scatter(matrix, into: &bytes, columns: columns) }
      return OwnedBytes(bytes)
    }
    return StoredMatrix(type: type, rows: rows, columns: self.columns, region: made)
  }
}
