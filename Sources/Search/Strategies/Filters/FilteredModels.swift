internal import Evaluation
internal import Models
internal import RankReduction
internal import Tensors

/// Scores models with filtered matrices, which are made layer by layer as the windows reach them.
///
/// Decompositions are kept between models as far as there is memory; beyond that they are made again.
final class FilteredModels {
  private let reducer: Reducer
  private let folder: String
  private let memory: Int
  private var freeBytes: Int
  private var decompositions: [Site: SiteDecomposition] = [:]

  /// - Parameter memory: Bytes for evaluation and kept decompositions.
  init(_ reducer: Reducer, memory: Int, folder: String) {
    self.reducer = reducer
    self.folder = folder
    freeBytes = memory / 4
    self.memory = memory - memory / 4
  }

  /// - Parameter checkpoint: Called often; may throw to end the work.
  func score(
    _ reductions: [Reduction], on text: Evaluation, checkpoint: (Double) throws -> Void
  ) throws -> Score {
    let byLayer = Dictionary(grouping: reductions, by: \.site.layer)
    var share = 0.0
    return try withoutActuallyEscaping(checkpoint) { checkpoint in
      try text.score(
        reducer.model, memory: memory, others: reducer.byteCount(of: reductions.map(\.site)),
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
      for (reduction, matrix) in zip(reductions[block], matrices) { made.append((reduction.site, try matrix.get())) }
    }
    return made
  }
}
