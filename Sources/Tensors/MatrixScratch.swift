internal import Glibc

/// Matrices put aside on disk: a file without a name, gone when its last holder is.
///
/// For what is too much for memory and is read again as a whole. Not for sharing between threads.
package final class MatrixScratch {
  private let descriptor: Int32
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

  /// - Parameter folder: Must be on a disk with room for all that is put aside.
  package init(in folder: String) throws(Failure) {
    self.folder = folder
    descriptor = openNamelessFile(in: folder)
    guard descriptor >= 0 else { throw Failure(description: "\(folder): \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

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
        pwrite(descriptor, start + $0 / 4, $1, $2)
      }
    }
  }

  package func read(_ place: Place) throws(Failure) -> Matrix {
    let matrix = Matrix(unfilled: place.rows, columns: place.columns)
    let bytes = place.rows * place.columns * MemoryLayout<Float>.stride
    try transfer(bytes, at: place.offset, "read") { pread(descriptor, matrix.base + $0 / 4, $1, $2) }
    return matrix
  }

  /// Calls `operation` with how many bytes are done, how many are left and where they stand in the file, until none are left.
  private func transfer(
    _ count: Int, at offset: Int, _ what: String, _ operation: (Int, Int, off_t) -> Int
  ) throws(Failure) {
    var done = 0
    while done < count {
      // The kernel moves at most 2 GB at once, and whole numbers unless the disk is full.
      let moved = operation(done, min(count - done, 1 << 30), off_t(offset + done))
      if moved < 0 && errno == EINTR { continue }
      guard moved > 0, moved % 4 == 0 else {
        let reason = moved < 0 ? String(cString: strerror(errno)) : "the disk is full"
        throw Failure(description: "\(folder): scratch file of \(end) bytes could not be \(what): \(reason)")
      }
      done += moved
    }
  }
}
