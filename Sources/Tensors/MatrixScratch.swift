internal import SystemPackage

/// Matrices and decompositions kept on disk: a file without a name, gone when its last holder is.
///
/// Made for what is too large for memory and is read again as a whole. Threads must not share it.
package final class MatrixScratch {
  private let descriptor: FileDescriptor
  private let folder: String
  private var end = 0

  /// Where a matrix of float32 lies.
  package struct Place: Sendable {
    fileprivate let offset: Int
    package let rows: Int
    package let columns: Int
  }

  /// A decomposition whose vectors lie on disk.
  package struct KeptDecomposition: Sendable {
    fileprivate let offset: Int
    fileprivate let singularValues: [Double]
    fileprivate let rows: Int
    fileprivate let columns: Int
  }

  /// The disk is full, or the folder cannot be written.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Parameter folder: Must be on a disk with room for all that is written.
  package init(in folder: String) throws(Failure) {
    self.folder = folder
    do throws(Errno) { descriptor = try openNamelessFile(in: folder) } catch {
      throw Failure(description: "\(folder): \(error)")
    }
  }

  deinit { try? descriptor.close() }

  package func write(_ matrix: Matrix) throws(Failure) -> Place {
    let place = Place(offset: end, rows: matrix.rows, columns: matrix.columns)
    try write(matrix, over: place)
    end += matrix.rows * matrix.columns * MemoryLayout<Float>.stride
    return place
  }

  /// Puts another matrix of the same shape in a place.
  package func write(_ matrix: Matrix, over place: Place) throws(Failure) {
    precondition(matrix.rows == place.rows && matrix.columns == place.columns, "shapes differ")
    let rowBytes = matrix.columns * MemoryLayout<Float>.stride
    let rowsAtOnce = matrix.isContiguous ? max(matrix.rows, 1) : 1
    for row in stride(from: 0, to: matrix.rows, by: rowsAtOnce) {
      let start = UnsafeRawPointer(matrix.base + row * matrix.stride)
      try write(UnsafeRawBufferPointer(start: start, count: rowsAtOnce * rowBytes), at: place.offset + row * rowBytes)
    }
  }

  package func read(_ place: Place) throws(Failure) -> Matrix {
    let matrix = Matrix(unfilled: place.rows, columns: place.columns)
    let count = place.rows * place.columns * MemoryLayout<Float>.stride
    try read(into: UnsafeMutableRawBufferPointer(start: matrix.base, count: count), at: place.offset)
    return matrix
  }

  package func write(_ decomposition: SingularValueDecomposition) throws(Failure) -> KeptDecomposition {
    let kept = KeptDecomposition(
      offset: end, singularValues: decomposition.singularValues, rows: decomposition.rows,
      columns: decomposition.columns)
    let vectors = decomposition.vectors.elements
    try vectors.withUnsafeBufferPointer { numbers throws(Failure) in
      try write(UnsafeRawBufferPointer(numbers), at: end)
    }
    end += vectors.count * MemoryLayout<Double>.stride
    return kept
  }

  /// The same numbers, to the bit.
  package func read(_ kept: KeptDecomposition) throws(Failure) -> SingularValueDecomposition {
    let side = kept.singularValues.count
    var vectors = [Double](repeating: 0, count: side * side)
    try vectors.withUnsafeMutableBufferPointer { numbers throws(Failure) in
      try read(into: UnsafeMutableRawBufferPointer(numbers), at: kept.offset)
    }
    return SingularValueDecomposition(
      singularValues: kept.singularValues, rows: kept.rows, columns: kept.columns,
      vectors: DoubleMatrix(rows: side, columns: side, elements: vectors))
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
    try transfer(bytes.count, "written") {
      try descriptor.write(toAbsoluteOffset: Int64(offset + $0.lowerBound), UnsafeRawBufferPointer(rebasing: bytes[$0]))
    }
  }

  private func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(Failure) {
    try transfer(bytes.count, "read") {
      try descriptor.read(
        fromAbsoluteOffset: Int64(offset + $0.lowerBound), into: UnsafeMutableRawBufferPointer(rebasing: bytes[$0]))
    }
  }

  /// Calls `operation` with what is left of some bytes, as much as may be moved at once, until nothing is.
  private func transfer(
    _ count: Int, _ what: String, _ operation: (Range<Int>) throws -> Int
  ) throws(Failure) {
    var done = 0
    while done < count {
      // The kernel moves at most 2 GB at once, and whole numbers unless the disk is full.
      let moved = Result { try operation(done..<min(count, done + 1 << 30)) }
      guard case .success(let bytes) = moved, bytes > 0, bytes % 4 == 0 else {
        let reason = if case .failure(let error) = moved { "\(error)" } else { "the disk is full" }
        throw Failure(description: "\(folder): scratch file of \(end) bytes could not be \(what): \(reason)")
      }
      done += bytes
    }
  }
}
