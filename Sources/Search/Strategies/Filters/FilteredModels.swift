internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors

/// Scores models with filtered matrices, which are made layer by layer as the windows reach them.
///
/// Decompositions are kept between models as far as a quarter of the memory goes; beyond that they are made again. Where even
/// that is not to be had, none are kept, and a layer's matrices lie on disk until they are used.
final class FilteredModels {
  private let reducer: Reducer
  private let folder: String
  private let memory: Int
  /// For kept decompositions.
  private var freeBytes: Int
  private var decompositions: [Site: SiteDecomposition] = [:]
  private var isTight = false

  /// - Parameters:
  ///   - memory: Bytes for evaluation and kept decompositions.
  ///   - folder: Where matrices lie that there is no memory for.
  init(_ reducer: Reducer, memory: Int, folder: String) {
    (self.reducer, self.memory, self.folder) = (reducer, memory, folder)
    freeBytes = memory / 4
  }

  /// - Parameter checkpoint: Called often, with the share done; may throw to end the work.
  /// - Throws: `MemoryPlan.TooSmall` if the memory is not enough for one window.
  func score(
    _ reductions: [Reduction], on text: Evaluation, checkpoint: (Double) throws -> Void
  ) throws -> Score {
    guard !isTight else { return try score(reductions, on: text, within: memory, checkpoint) }
    do {
      return try score(reductions, on: text, within: memory - memory / 4, checkpoint)
    } catch is MemoryPlan.TooSmall {
      (isTight, freeBytes, decompositions) = (true, 0, [:])
      return try score(reductions, on: text, within: memory, checkpoint)
    }
  }

  private func score(
    _ reductions: [Reduction], on text: Evaluation, within memory: Int, _ checkpoint: (Double) throws -> Void
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

  /// Bytes of the matrices as they are stored.
  private func bytes(of reductions: [Reduction]) throws -> Int {
    try reductions.reduce(0) { sum, reduction in
      let reference = reducer.model.reference(of: reduction.site)
      return sum + (try reducer.model.stored(reference).type.byteCount(of: reference.rows * reference.columns))
    }
  }

  /// A layer's matrices; large ones one after another, so that an interrupt is heeded between them.
  private func matrices(
    _ reductions: [Reduction], checkpoint: () throws -> Void
  ) throws -> [(site: Site, matrix: StoredMatrix)] {
    try reducer.check(reductions)
    let unknown = reductions.filter { !$0.filter.isScale && decompositions[$0.site] == nil }.map(\.site)
    var known = decompositions
    for decomposition in reducer.decompositions(of: unknown) {
      try checkpoint()
      let decomposition = try decomposition.get()
      let bytes = decomposition.fullRank * decomposition.fullRank * MemoryLayout<Double>.stride
      if bytes <= freeBytes {
        freeBytes -= bytes
        decompositions[decomposition.site] = decomposition
      }
      known[decomposition.site] = decomposition
    }
    var made: [(site: Site, matrix: StoredMatrix)] = []
    for block in Parallelism.blocks(of: reductions.count, size: 2 * Parallelism.threads) {
      try checkpoint()
      let (reducer, known) = (reducer, known)
      let matrices = Parallelism.map(Array(reductions[block])) { reduction in
        Result {
          if case .scale(let factor, _) = reduction.filter { return try reducer.scaled(reduction.site, by: factor) }
          return try (known[reduction.site] ?? reducer.decompose(reduction.site)).reduced(by: reduction.filter)
        }
      }
      for (reduction, matrix) in zip(reductions[block], matrices) {
        let matrix = try matrix.get()
        made.append((reduction.site, isTight ? try matrix.spilled(to: folder) : matrix))
      }
    }
    return made
  }
}
