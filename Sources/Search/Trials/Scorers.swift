internal import Evaluation
internal import Models
internal import RankReduction
internal import Tensors

/// What measures trials: the scorer and, where first windows are screened in another precision, one for those.
final class Scorers {
  private var scorer: TrialScorer
  private var screener: TrialScorer?
  private let screening: PrecisionScreening?

  /// Runs the original model over the search text.
  init(
    _ search: Search, screening: PrecisionScreening?, memory: Int, scratchFolder: String,
    progress: (Double) throws -> Void
  ) throws {
    self.screening = screening
    let firstLayer = search.sites.map(\.layer).min() ?? 0
    if let screening {
      screener = try TrialScorer(
        screening.model, screening.evaluation, rounds: screening.rounds, firstLayer: firstLayer,
        memory: screening.memory, scratchFolder: scratchFolder)
    } else {
      screener = nil
    }
    scorer = try TrialScorer(
      search.model, search.text, rounds: search.rounds, firstLayer: firstLayer,
      memory: screening?.scorerMemory ?? memory, others: search.reducer.byteCount(of: search.sites),
      scratchFolder: scratchFolder, progress: progress)
  }

  /// The original model's score of the search text.
  var original: Score { scorer.original }

  /// The score of the model with all that was kept, if it is known.
  var current: Score? { scorer.isScoreKnown ? scorer.score : nil }

  /// Makes what an earlier session kept part of the current model.
  func adopt(_ replacement: Replacement) throws {
    try scorer.adopt(replacement)
    try screener?.adopt(replacement)
  }

  /// A trial's outcome, and what is needed to keep it.
  struct Measurement {
    let outcome: TrialOutcome
    /// The outcome of the first windows in the precision of screening; nil without screening.
    fileprivate let screened: TrialOutcome?
    /// Set where the first windows stopped the trial: the precision that they ran in.
    let stoppedIn: Precision?
    let isKept: Bool
  }

  /// Measures one site with a rank, and keeps it if the rule says so.
  ///
  /// - Parameters:
  ///   - later: Ranks of the site that will be tried after this one.
  ///   - matrix: The site's matrix at a rank.
  func measure(
    _ site: Site, rank: Int, before later: [Int], rule: some TrialRule, matrix: (Int) throws -> StoredMatrix
  ) throws -> Measurement {
    // Made once for both scorers.
    var made: [Int: StoredMatrix] = [:]
    func madeMatrix(_ rank: Int) throws -> StoredMatrix {
      if let known = made[rank] { return known }
      let new = try matrix(rank)
      made[rank] = new
      return new
    }
    try screener?.enter(layer: site.layer)
    let screened = try screener?.score(site, rank: rank, before: later, matrix: madeMatrix) { rule.stops($0) }
    if let screened, rule.stops(screened.evidence) {
      return Measurement(outcome: screened, screened: screened, stoppedIn: screening?.precision, isKept: false)
    }
    try scorer.enter(layer: site.layer)
    let outcome = try scorer.score(site, rank: rank, before: later, matrix: madeMatrix) { rule.stops($0) }
    return Measurement(
      outcome: outcome, screened: screened, stoppedIn: nil,
      isKept: outcome.isComplete && rule.keeps(outcome.evidence))
  }

  /// Makes a kept trial's model the current one.
  func keep(_ measurement: Measurement) throws {
    try scorer.keep(measurement.outcome)
    if let screened = measurement.screened { try screener?.keep(screened) }
  }
}
