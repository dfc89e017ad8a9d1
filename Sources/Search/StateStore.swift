internal import Tensors

/// Matrices kept for trials: in memory up to a budget, beyond it on disk.
final class StateStore {
  private let folder: String
  private var freeBytes: Int
  private var scratch: MatrixScratch?
  /// On disk, of matrices that were dropped.
  private var freePlaces: [MatrixScratch.Place] = []

  /// One matrix.
  enum Kept {
    case inMemory(Matrix)
    case onDisk(MatrixScratch.Place)
  }

  /// - Parameters:
  ///   - memory: Bytes that kept matrices may take.
  ///   - folder: Where the scratch file lies, if it is needed.
  init(memory: Int, folder: String) {
    freeBytes = memory
    self.folder = folder
  }

  /// Keeps a matrix that nobody will change any more, or a copy where it must be one.
  func keep(_ matrix: Matrix, copied: Bool = true) throws -> Kept {
    let bytes = Self.bytes(matrix.rows, matrix.columns)
    if bytes <= freeBytes {
      freeBytes -= bytes
      return .inMemory(copied ? matrix.copy() : matrix)
    }
    let scratch = try scratch ?? MatrixScratch(in: folder)
    self.scratch = scratch
    if let free = freePlaces.firstIndex(where: { $0.rows == matrix.rows && $0.columns == matrix.columns }) {
      let place = freePlaces.remove(at: free)
      try scratch.write(matrix, over: place)
      return .onDisk(place)
    }
    return .onDisk(try scratch.write(matrix))
  }

  /// Puts others of the same shape in a place.
  func replace(_ kept: Kept, with matrix: Matrix) throws {
    switch kept {
    case .inMemory(let old): old.assign(matrix)
    case .onDisk(let place): try scratch?.write(matrix, over: place)
    }
  }

  /// Forgets a matrix.
  func drop(_ kept: Kept) {
    switch kept {
    case .inMemory(let matrix): freeBytes += Self.bytes(matrix.rows, matrix.columns)
    case .onDisk(let place): freePlaces.append(place)
    }
  }

  /// A copy that the caller may change.
  func load(_ kept: Kept) throws -> Matrix {
    if case .inMemory(let matrix) = kept { return matrix.copy() }
    return try lend(kept)
  }

  /// The matrix itself, or a copy of what is on disk: to be left as it was.
  func lend(_ kept: Kept) throws -> Matrix {
    switch kept {
    case .inMemory(let matrix): return matrix
    case .onDisk(let place):
      guard let scratch else { preconditionFailure("a matrix of another store") }
      return try scratch.read(place)
    }
  }

  private static func bytes(_ rows: Int, _ columns: Int) -> Int { rows * columns * MemoryLayout<Float>.stride }
}
