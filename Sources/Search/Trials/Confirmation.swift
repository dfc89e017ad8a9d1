internal import Evaluation
internal import Inference
internal import Models
internal import Processes
internal import RankReduction

/// The end of a search: the original and the lasered model measured on both texts, as `laser perplexity` measures them.
struct Confirmation {
  private let search: Search
  private let heldOut: Evaluation
  private let memory: Int
  private let scratchFolder: String
  private let report: (SearchEvent) throws -> Void

  init(
    _ search: Search, heldOut: Evaluation, memory: Int, scratchFolder: String,
    report: @escaping (SearchEvent) throws -> Void
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
    of reductions: [Reduction], original: Score?, searched: Score?, alternatives: [AlternativeReductions]
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
    let models = FilteredModels(search.reducer, memory: memory, folder: scratchFolder)
    let (lasered, matrices) = try lasered(reductions, models)
    func score(_ model: Model, _ evaluation: Evaluation, isTrial: Bool = false) throws -> Score {
      try step { try evaluation.score(model, memory: memory, isTrial: isTrial, progress: $0) }
    }
    func scoreLasered(_ evaluation: Evaluation) throws -> Score? {
      guard isChanged else { return nil }
      return try step { try lasered(evaluation, $0) }
    }
    let found = try original ?? score(model, search.text)
    let improved = try (isChanged ? searched : nil) ?? scoreLasered(search.text) ?? found
    let isMixture = model.configuration.mixture != nil
    let (confirmed, routing) = try step { progress in
      isMixture
        ? try heldOut.scoreAndRouting(model, memory: memory, progress: progress)
        : (try heldOut.score(model, memory: memory, progress: progress), [])
    }
    let changed = try scoreLasered(heldOut) ?? confirmed
    let guardBaseline = try search.guarded.map { try score(model, $0) }
    let guarded = try search.guarded.flatMap { try scoreLasered($0) } ?? guardBaseline
    return SearchRecord.Result(
      searchBaseline: found.windows, search: improved.windows, heldOutBaseline: confirmed.windows,
      heldOut: changed.windows,
      heldOutBase: try base.map { try score($0, heldOut, isTrial: true).windows },
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
      matrices: matrices, spentBudget: false, seconds: 0)
  }

  /// How the lasered model scores a text, and the fingerprints of its matrices.
  ///
  /// One process makes the matrices once and keeps them on disk. Several would keep as many copies: they make a layer's when
  /// the windows reach it, and the model never exists as a whole.
  private func lasered(
    _ reductions: [Reduction], _ models: FilteredModels
  ) throws -> (score: (Evaluation, (Double) throws -> Void) throws -> Score, matrices: [String]) {
    var fingerprints: [String] = []
    let begin = { try report(.confirmation(share: 0)) }
    guard search.processes.isAlone else {
      try search.reducer.check(reductions)
      try search.reducer.forEachReduced(reductions, checkpoint: begin) { fingerprints.append($1.fingerprint) }
      return ({ try models.score(reductions, on: $0, checkpoint: $1) }, fingerprints)
    }
    let matrices = try search.reducer.reduced(reductions, scratchFolder: scratchFolder) { _ in try begin() }
    let lasered = matrices.reduce(search.model) { $0.replacing($1.site, by: $1.matrix) }
    return (
      { try $0.score(lasered, memory: memory, isTrial: true, progress: $1) }, matrices.map { $0.matrix.fingerprint }
    )
  }
}
