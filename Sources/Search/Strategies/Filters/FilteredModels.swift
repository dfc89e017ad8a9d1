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
    return try text.score(reducer.model, memory: memory, others: reducer.byteCount(of: reductions.map(\.site))) {
      model, layer in
      try self.matrices(byLayer[layer] ?? []).reduce(model) { $0.replacing($1.site, by: $1.matrix) }
    } progress: {
      try checkpoint($0)
    }
  }

  private func matrices(_ reductions: [Reduction]) throws -> [(site: Site, matrix: StoredMatrix)] {
    try reducer.check(reductions)
    let unknown = reductions.filter { !$0.filter.isScale && decompositions[$0.site] == nil }.map(\.site)
    var made: [Site: SiteDecomposition] = [:]
    for decomposition in reducer.decompositions(of: unknown) {
      let decomposition = try decomposition.get()
      let bytes = decomposition.fullRank * decomposition.fullRank * MemoryLayout<Double>.stride
      if bytes <= freeBytes {
        freeBytes -= bytes
        decompositions[decomposition.site] = decomposition
      }
      made[decomposition.site] = decomposition
    }
    let found = decompositions.merging(made) { known, _ in known }
    let reducer = reducer
    return try Parallelism.map(reductions) { reduction in
      Result {
        if case .scale(let factor, _) = reduction.filter { return try reducer.scaled(reduction.site, by: factor) }
        return try (found[reduction.site] ?? reducer.decompose(reduction.site)).reduced(by: reduction.filter)
      }
    }.enumerated().map { (reductions[$0].site, try $1.get()) }
  }
}
