internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction

/// The end of a search: the original and the lasered model measured on both texts, as `laser perplexity` measures them.
struct Confirmation {
  private let search: Search
  private let heldOut: Evaluation
  private let memory: Int
  private let scratchFolder: String
  private let report: (Search.Event) throws -> Void

  init(
    _ search: Search, heldOut: Evaluation, memory: Int, scratchFolder: String,
    report: @escaping (Search.Event) throws -> Void
  ) {
    (self.search, self.heldOut) = (search, heldOut)
    (self.memory, self.scratchFolder, self.report) = (memory, scratchFolder, report)
  }

  /// - Parameter searched: The lasered model's score of the search text, if the trials have left it: to the bit what
  ///   would be measured here.
  func result(
    of reductions: [Reduction], searched: Score?, alternatives: [Alternative]
  ) throws -> SearchRecord.Result {
    let model = search.model
    let matrices = try search.reducer.reduced(reductions, scratchFolder: scratchFolder)
    let lasered = matrices.isEmpty ? nil : matrices.reduce(model) { $0.replacing($1.site, by: $1.matrix) }
    let steps = (lasered == nil ? 2.0 : searched == nil ? 4 : 3) + Double(alternatives.count)
    var finished = 0.0
    func step<Value>(_ body: ((Double) throws -> Void) throws -> Value) throws -> Value {
      defer { finished += 1 / steps }
      return try body { try report(.confirmation(share: finished + $0 / steps)) }
    }
    var routing: [RoutingStatistics]? = model.configuration.mixture == nil ? nil : []
    func scores(
      _ evaluation: Evaluation, known: Score? = nil
    ) throws -> (original: [WindowScore], lasered: [WindowScore]) {
      let original = try step { progress in
        guard routing != nil else { return try evaluation.score(model, memory: memory, progress: progress) }
        let (score, statistics) = try evaluation.scoreAndRouting(model, memory: memory, progress: progress)
        routing?.append(contentsOf: statistics)
        return score
      }
      let changed = try lasered.map { lasered in
        try known ?? step { try evaluation.score(lasered, memory: memory, progress: $0) }
      }
      return (original.windows, (changed ?? original).windows)
    }
    let found = try scores(search.text, known: searched)
    let confirmed = try scores(heldOut)
    let models = FilteredModels(search.reducer, memory: memory, folder: scratchFolder)
    let others = try alternatives.map { alternative in
      SearchRecord.Result.Alternative(
        name: alternative.name,
        heldOut: try step { try models.score(alternative.reductions, on: heldOut, checkpoint: $0).windows })
    }
    return SearchRecord.Result(
      searchBaseline: found.original, search: found.lasered, heldOutBaseline: confirmed.original,
      heldOut: confirmed.lasered, routing: routing,
      alternatives: others.isEmpty ? nil : others, matrices: matrices.map { $0.matrix.fingerprint }, spentBudget: false,
      seconds: 0)
  }
}
