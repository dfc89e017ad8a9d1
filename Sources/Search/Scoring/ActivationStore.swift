internal import Tensors

/// Activations kept for trials: in memory up to a budget, beyond it in a scratch file.
final class ActivationStore {
  private let folder: String
  private var freeBytes: Int
  private var scratch: MatrixScratch?
  /// On disk, of matrices that were dropped.
  private var freePlaces: [MatrixScratch.Place] = []

  /// One matrix that a store keeps. Only that store can do anything with it.
  struct Handle {
    fileprivate enum Place {
      case memory(Matrix)
      case disk(MatrixScratch.Place)
    }
    fileprivate let place: Place

    /// A matrix without numbers, of any store.
    static var empty: Handle { Handle(place: .memory(Matrix(rows: 0, columns: 0))) }
  }

  /// - Parameters:
  ///   - memory: Bytes that kept matrices may take.
  ///   - folder: Where the scratch file lies, if it is needed.
  init(memory: Int, folder: String) {
    freeBytes = memory
    self.folder = folder
  }

  /// Keeps a matrix that nobody will change any more, or a copy where it must be one.
  func keep(_ matrix: Matrix, copied: Bool = true) throws -> Handle {
    let bytes = Self.bytes(matrix.rows, matrix.columns)
    if bytes <= freeBytes {
      freeBytes -= bytes
      return Handle(place: .memory(copied ? matrix.copy() : matrix))
    }
    let scratch = try scratch ?? MatrixScratch(in: folder)
    self.scratch = scratch
    if let free = freePlaces.firstIndex(where: { $0.rows == matrix.rows && $0.columns == matrix.columns }) {
      let place = freePlaces.remove(at: free)
      try scratch.write(matrix, over: place)
      return Handle(place: .disk(place))
    }
    return Handle(place: .disk(try scratch.write(matrix)))
  }

  /// Puts the numbers of another matrix of the same shape in a place.
  func replace(_ handle: Handle, with matrix: Matrix) throws {
    switch handle.place {
    case .memory(let old): old.assign(matrix)
    case .disk(let place): try scratch?.write(matrix, over: place)
    }
  }

  /// Changes the numbers of a matrix in its place.
  func update(_ handle: Handle, _ body: (Matrix) throws -> Void) throws {
    let matrix = try lend(handle)
    try body(matrix)
    if case .disk(let place) = handle.place { try scratch?.write(matrix, over: place) }
  }

  /// Forgets a matrix.
  func drop(_ handle: Handle) {
    switch handle.place {
    case .memory(let matrix): freeBytes += Self.bytes(matrix.rows, matrix.columns)
    case .disk(let place): freePlaces.append(place)
    }
  }

  /// A copy that the caller may change.
  func load(_ handle: Handle) throws -> Matrix {
    if case .memory(let matrix) = handle.place { return matrix.copy() }
    return try lend(handle)
  }

  /// The matrix itself, or a copy of what is on disk: to be left as it was.
  func lend(_ handle: Handle) throws -> Matrix {
    switch handle.place {
    case .memory(let matrix): return matrix
    case .disk(let place):
      guard let scratch else { preconditionFailure("a matrix of another store") }
      return try scratch.read(place)
    }
  }

  private static func bytes(_ rows: Int, _ columns: Int) -> Int { rows * columns * MemoryLayout<Float>.stride }
}
