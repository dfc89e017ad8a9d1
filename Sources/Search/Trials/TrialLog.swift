internal import Evaluation
internal import Models
internal import RankReduction
internal import Wording

/// The trials of a search in their order: first those that its journal has, then those that are made and written down.
/// A search that is continued so goes through the same code as one that is not, and ends the same.
struct TrialLog: ~Copyable {
  private let journal: Journal
  private var past: PastRecords
  /// The original model's score of the search text, once it is known.
  private(set) var original: Score?
  /// How many trials there are so far.
  private(set) var count = 0
  /// The plan that the trials kept make, in their order; a site's last one counts.
  private(set) var kept: [Reduction] = []

  init(_ journal: consuming Journal, past: PastRecords) {
    self.journal = journal
    self.past = past
    original = past.original
  }

  /// Writes the original model's score down, unless it is.
  mutating func write(original score: Score) throws {
    guard original == nil else { return }
    try journal.append(.original(.init(windows: score.windows)))
    original = score
  }

  /// The next trial, if the journal has it.
  ///
  /// - Throws: `InputError` if it has another one in its place.
  mutating func recorded(
    _ reductions: [Reduction], phase: SearchRecord.Trial.Phase
  ) throws(InputError) -> SearchRecord.Trial? {
    try past.nextTrial(of: reductions, phase: phase, number: count + 1)
  }

  /// The measurement of a trial that an extended search made on the model as it now is.
  func reusable(_ reduction: Reduction, phase: SearchRecord.Trial.Phase) -> SearchRecord.Trial? {
    past.reusable(reduction, phase: phase, after: kept)
  }

  /// The next rung of an extended search, if it is the one that is asked for.
  mutating func reusableRung(_ isSame: (SearchRecord.Rung) -> Bool) -> SearchRecord.Rung? { past.reusableRung(isSame) }

  /// The next rung, if the journal has it.
  mutating func recordedRung() -> SearchRecord.Rung? { past.nextRung() }

  func write(_ rung: SearchRecord.Rung) throws { try journal.append(.rung(rung)) }

  /// Whether the journal goes on, but with another phase: the one before it was cut short.
  func hasLeft(_ phase: SearchRecord.Trial.Phase) -> Bool { past.hasLeft(phase) }

  /// The recorded trials of all ranks of a site, if they are the next ones after those that are skipped.
  func recorded(_ ranks: [Int], of site: Site, after skipped: Int) -> ArraySlice<SearchRecord.Trial>? {
    past.trials(ranks, of: site, after: skipped)
  }

  /// Writes a trial down, on disk when this returns.
  func write(_ trial: SearchRecord.Trial) throws { try journal.append(.trial(trial)) }

  /// Counts a trial that was recorded or written.
  ///
  /// - Parameter reductions: What it reduced, where its record does not say all of it.
  mutating func count(_ trial: SearchRecord.Trial, reductions: [Reduction]? = nil) {
    count += 1
    guard trial.kept else { return }
    for reduction in reductions ?? trial.reductions {
      kept.removeAll { $0.site == reduction.site }
      kept.append(reduction)
    }
  }

  /// Writes down the result: the journal is then finished.
  func finish(_ result: SearchRecord.Result) throws { try journal.append(.result(result)) }
}
