internal import SystemPackage

/// Matrices kept on disk: a file without a name, gone when its last holder is.
///
/// Made for what is too large for memory and is read again as a whole. Threads must not share it.
package final class MatrixScratch {
  private let descriptor: FileDescriptor
  private let folder: String
  private var end = 0

  /// Where a matrix lies.
  package struct Place: Sendable {
    fileprivate let offset: Int
    package let rows: Int
    package let columns: Int
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
      let start = matrix.base + row * matrix.stride
      try transfer(rowsAtOnce * rowBytes, at: place.offset + row * rowBytes, "written") {
        try descriptor.write(toAbsoluteOffset: $2, UnsafeRawBufferPointer(start: start + $0 / 4, count: $1))
      }
    }
  }

  package func read(_ place: Place) throws(Failure) -> Matrix {
    let matrix = Matrix(unfilled: place.rows, columns: place.columns)
    let bytes = place.rows * place.columns * MemoryLayout<Float>.stride
    try transfer(bytes, at: place.offset, "read") {
      try descriptor.read(
        fromAbsoluteOffset: $2, into: UnsafeMutableRawBufferPointer(start: matrix.base + $0 / 4, count: $1))
    }
    return matrix
  }

  /// Calls `operation` with how many bytes are done, how many are left and where they are in the file, until none are
  /// left.
  private func transfer(
    _ count: Int, at offset: Int, _ what: String, _ operation: (Int, Int, Int64) throws -> Int
  ) throws(Failure) {
    var done = 0
    while done < count {
      // The kernel moves at most 2 GB at once, and whole numbers unless the disk is full.
      let moved = Result { try operation(done, min(count - done, 1 << 30), Int64(offset + done)) }
      guard case .success(let bytes) = moved, bytes > 0, bytes % 4 == 0 else {
        let reason = if case .failure(let error) = moved { "\(error)" } else { "the disk is full" }
        throw Failure(description: "\(folder): scratch file of \(end) bytes could not be \(what): \(reason)")
      }
      done += bytes
    }
  }
}
