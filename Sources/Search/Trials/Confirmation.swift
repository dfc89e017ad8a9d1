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

  /// Questions that a report shows of each file.
  private static let mostChanges = 10

  /// - Parameters:
  ///   - original: The original model's score of the search text, and `searched` the lasered model's, where the trials
  ///     have left them: to the bit what would be measured here.
  func result(
    of reductions: [Reduction], original: Score?, searched: Score?, alternatives: [Alternative]
  ) throws -> SearchRecord.Result {
    let model = search.model
    let base = search.comparableBase
    let isChanged = !reductions.isEmpty
    let isGuarded = search.guarded != nil
    let needed = [
      true, original == nil, isChanged, isChanged && searched == nil, base != nil, isGuarded, isGuarded && isChanged,
    ]
    let steps = Double(needed.count(where: \.self) + alternatives.count)
    var finished = 0.0
    func step<Value>(_ body: ((Double) throws -> Void) throws -> Value) throws -> Value {
      defer { finished += 1 / steps }
      return try body { try report(.confirmation(share: finished + $0 / steps)) }
    }
    let matrices = try search.reducer.reduced(reductions, scratchFolder: scratchFolder) { _ in
      try report(.confirmation(share: 0))
    }
    let lasered = matrices.isEmpty ? nil : matrices.reduce(model) { $0.replacing($1.site, by: $1.matrix) }
    func score(_ model: Model, _ evaluation: Evaluation, isTrial: Bool = true) throws -> Score {
      try step { try evaluation.score(model, memory: memory, isTrial: isTrial, progress: $0) }
    }
    let found = try original ?? score(model, search.text, isTrial: false)
    let improved = try lasered.map { try searched ?? score($0, search.text) } ?? found
    let isMixture = model.configuration.mixture != nil
    let (confirmed, routing) = try step { progress in
      isMixture
        ? try heldOut.scoreAndRouting(model, memory: memory, progress: progress)
        : (try heldOut.score(model, memory: memory, progress: progress), [])
    }
    let changed = try lasered.map { try score($0, heldOut) } ?? confirmed
    let guardBaseline = try search.guarded.map { try score(model, $0, isTrial: false) }
    let guarded = try search.guarded.flatMap { text in try lasered.map { try score($0, text) } } ?? guardBaseline
    let models = FilteredModels(search.reducer, memory: memory, folder: scratchFolder)
    return SearchRecord.Result(
      searchBaseline: found.windows, search: improved.windows, heldOutBaseline: confirmed.windows,
      heldOut: changed.windows,
      heldOutBase: try base.map { try score($0, heldOut).windows },
      guardBaseline: guardBaseline?.windows, guarded: guarded?.windows,
      changes: search.settings.questions.isEmpty
        ? nil : heldOut.changes(from: confirmed, to: changed, atMost: Self.mostChanges),
      routing: isMixture ? routing : nil,
      alternatives: alternatives.isEmpty
        ? nil
        : try alternatives.map { alternative in
          SearchRecord.Result.Alternative(
            name: alternative.name,
            heldOut: try step { try models.score(alternative.reductions, on: heldOut, checkpoint: $0).windows })
        },
      matrices: matrices.map { $0.matrix.fingerprint }, spentBudget: false, seconds: 0)
  }
}
