internal import Glibc

/// Float32 numbers in rows: a window onto memory that it keeps alive.
///
/// Copies and slices of a matrix share its memory, as views do in other numeric libraries: a layer writes its result
/// where the caller says, and workers fill disjoint rows of one matrix. Rows are contiguous; `stride` is the distance
/// between two of them. Every slice is checked against its matrix, every operation against the shapes it is given.
///
/// Sharing between threads is safe as long as no two of them write, or write and read, the same rows at once; the
/// parallel loops of this package divide the rows.
package struct Matrix: @unchecked Sendable {
  package let rows: Int
  package let columns: Int
  package let stride: Int
  private let memory: Memory
  private let offset: Int

  /// A matrix of zeros.
  package init(rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0, "a matrix cannot have \(rows) × \(columns) elements")
    self.init(
      memory: Memory(count: rows * columns, isFilled: true), offset: 0, rows: rows, columns: columns, stride: columns)
  }

  /// A matrix whose every number is written before it is read: until then they are anything.
  package init(unfilled rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0, "a matrix cannot have \(rows) × \(columns) elements")
    self.init(
      memory: Memory(count: rows * columns, isFilled: false), offset: 0, rows: rows, columns: columns, stride: columns)
  }

  private init(memory: Memory, offset: Int, rows: Int, columns: Int, stride: Int) {
    self.memory = memory
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.stride = stride
  }

  package init(rows: Int, columns: Int, elements: [Float]) {
    precondition(elements.count == rows * columns, "\(elements.count) elements for \(rows) × \(columns)")
    self.init(rows: rows, columns: columns)
    base.update(from: elements, count: elements.count)
  }

  package subscript(rows range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    return Matrix(
      memory: memory, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  package subscript(columns range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns)")
    return Matrix(
      memory: memory, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  package subscript(row: Int, column: Int) -> Float {
    get {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns, "element outside the matrix")
      return base[row * stride + column]
    }
    nonmutating set {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns, "element outside the matrix")
      base[row * stride + column] = newValue
    }
  }

  package func row(_ index: Int) -> [Float] {
    Array(UnsafeBufferPointer(start: self[rows: index..<index + 1].base, count: columns))
  }

  /// A matrix with memory of its own.
  package func copy() -> Matrix {
    let result = Matrix(unfilled: rows, columns: columns)
    result.assign(self)
    return result
  }

  /// Copies the numbers of a matrix of the same shape into this one.
  package func assign(_ source: Matrix) {
    precondition(source.rows == rows && source.columns == columns, "shapes differ")
    if isContiguous && source.isContiguous {
      base.update(from: source.base, count: rows * columns)
    } else {
      for row in 0..<rows {
        base.advanced(by: row * stride).update(from: source.base + row * source.stride, count: columns)
      }
    }
  }

  package func fill(_ value: Float) {
    for row in 0..<rows { base.advanced(by: row * stride).update(repeating: value, count: columns) }
  }

  package var isContiguous: Bool { stride == columns || rows <= 1 }

  /// The first element. Only this module does arithmetic on it, within rows × stride.
  var base: UnsafeMutablePointer<Float> { memory.base + offset }

  private final class Memory: @unchecked Sendable {
    let base: UnsafeMutablePointer<Float>

    /// - Parameter isFilled: With zeros.
    init(count: Int, isFilled: Bool) {
      let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
      guard !overflow, let memory = isFilled ? calloc(1, bytes) : malloc(bytes) else {
        fatalError("cannot allocate \(count) numbers")  // as Swift's own arrays do
      }
      base = memory.bindMemory(to: Float.self, capacity: max(count, 1))
    }

    deinit { free(base) }
  }
}
