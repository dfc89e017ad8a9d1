internal import Tensors

/// The states that enter each layer, kept for trials: in memory up to a budget, beyond it on disk.
final class StateStore {
  private let folder: String
  private var freeBytes: Int
  private var scratch: MatrixScratch?

  /// One matrix of states.
  enum Kept {
    case inMemory(Matrix)
    case onDisk(MatrixScratch.Place)
  }

  /// - Parameters:
  ///   - memory: Bytes that kept states may take.
  ///   - folder: Where the scratch file lies, if it is needed.
  init(memory: Int, folder: String) {
    freeBytes = memory
    self.folder = folder
  }

  /// Keeps a copy.
  func keep(_ states: Matrix) throws -> Kept {
    let bytes = states.rows * states.columns * MemoryLayout<Float>.stride
    if bytes <= freeBytes {
      freeBytes -= bytes
      return .inMemory(states.copy())
    }
    let scratch = try scratch ?? MatrixScratch(in: folder)
    self.scratch = scratch
    return .onDisk(try scratch.write(states))
  }

  /// Puts other states of the same shape in a place.
  func replace(_ kept: Kept, with states: Matrix) throws {
    switch kept {
    case .inMemory(let old): old.assign(states)
    case .onDisk(let place): try scratch?.write(states, over: place)
    }
  }

  /// A copy that the caller may change.
  func load(_ kept: Kept) throws -> Matrix {
    switch kept {
    case .inMemory(let states): return states.copy()
    case .onDisk(let place):
      guard let scratch else { preconditionFailure("states of another store") }
      return try scratch.read(place)
    }
  }
}
