internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors

/// Scores models with filtered matrices, which are made layer by layer as the windows reach them. Where there is no memory for
/// a layer's, they lie on disk until they are used.
final class FilteredModels {
  private let reducer: Reducer
  private let folder: String
  private let memory: Int
  private var isTight = false

  /// - Parameters:
  ///   - reducer: That keeps its decompositions: each model needs them all.
  ///   - memory: Bytes for evaluation and matrices.
  ///   - folder: Where matrices lie that there is no memory for.
  init(_ reducer: Reducer, memory: Int, folder: String) {
    (self.reducer, self.memory, self.folder) = (reducer, memory, folder)
  }

  /// - Parameter checkpoint: Called often, with the share done; may throw to end the work.
  /// - Throws: `MemoryPlan.TooSmall` if the memory is not enough for one window.
  func score(
    _ reductions: [Reduction], on text: Evaluation, checkpoint: (Double) throws -> Void
  ) throws -> Score {
    try reducer.check(reductions)
    if !isTight {
      do {
        return try measure(reductions, on: text, checkpoint)
      } catch is MemoryPlan.TooSmall { isTight = true }
    }
    return try measure(reductions, on: text, checkpoint)
  }

  private func measure(
    _ reductions: [Reduction], on text: Evaluation, _ checkpoint: (Double) throws -> Void
  ) throws -> Score {
    let byLayer = Dictionary(grouping: reductions, by: \.site.layer)
    let layerBytes = try byLayer.values.map { try bytes(of: $0) }.max() ?? 0
    var share = 0.0
    return try withoutActuallyEscaping(checkpoint) { checkpoint in
      try text.score(
        reducer.model, memory: memory,
        others: reducer.byteCount(of: reductions.map(\.site)) + (isTight ? 0 : layerBytes),
        changing: { model, layer in
          try self.matrices(byLayer[layer] ?? []) { try checkpoint(share) }
            .reduce(model) { $0.replacing($1.site, by: $1.matrix) }
        },
        progress: {
          share = $0
          try checkpoint($0)
        })
    }
  }

  /// Bytes of the matrices as they will be stored.
  private func bytes(of reductions: [Reduction]) throws -> Int {
    try reductions.reduce(0) { sum, reduction in
      let reference = reducer.model.reference(of: reduction.site)
      let type = try reducer.model.stored(reference).type.typeOfChanges
      return sum + type.byteCount(of: reference.rows * reference.columns)
    }
  }

  /// A layer's matrices; large ones one after another, so that an interrupt is heeded between them.
  private func matrices(
    _ reductions: [Reduction], checkpoint: () throws -> Void
  ) throws -> [(site: Site, matrix: StoredMatrix)] {
    var made: [(site: Site, matrix: StoredMatrix)] = []
    try reducer.forEachReduced(reductions, checkpoint: checkpoint) { reduction, matrix in
      made.append((reduction.site, isTight ? try matrix.spilled(to: folder) : matrix))
    }
    return made
  }
}
