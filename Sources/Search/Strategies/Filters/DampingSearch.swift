internal import Evaluation
internal import Inference
internal import RankReduction
internal import Wording

/// Finds the damping of filters honestly: filters are made from the fitting windows and measured on the judging ones.
///
/// A group's ladder goes from the most cautious damping down by halves, as long as the score gets better. The best rung counts if it
/// lowers the nll by more than its noise; if none does, the halves of the group are tried at the best rung's damping, and
/// theirs. Every test is made at (1 − confidence) / `mostRungs` (Bonferroni), as many as there may be.
struct DampingSearch {
  static let ladder: [Double] = [256, 128, 64, 32, 16, 8, 4, 2, 1]
  /// The ladder of one factor for each matrix, for which the formula needs less caution.
  static let alternativeLadder: [Double] = [64, 16, 4, 2, 1]
  /// Models that may be measured for the filters that are kept; each on half the search text.
  static let mostRungs = 24

  private let kind: FilterKind
  /// The ladder, or the one damping that was asked for.
  private let dampings: [Double]
  private let isAlternative: Bool
  private let level: Double
  /// What was accepted so far.
  private(set) var choice = FilterChoice()
  /// The judging windows' score with it.
  private(set) var score: Score
  private var rungsLeft = Self.mostRungs

  /// - Parameter original: The original model's score of the judging windows.
  init(_ kind: FilterKind, settings: SearchSettings, original: Score, isAlternative: Bool = false) {
    self.kind = kind
    dampings = isAlternative ? Self.alternativeLadder : settings.damping.map { [$0] } ?? Self.ladder
    self.isAlternative = isAlternative
    level = (1 - settings.confidence) / Double(Self.mostRungs)
    score = original
  }

  /// Searches one group's damping, on top of what was accepted.
  mutating func search(_ group: SiteGroup, _ context: inout SearchContext, _ study: FilterStudy) throws {
    var best: Measured?
    var found: Measured?
    for damping in dampings
    where study.changes(choice.setting(.init(kind: kind, damping: damping), at: group.sites), group.sites) {
      guard let rung = try measure(group, damping, &context, study) else { break }
      if let best, rung.delta.mean >= best.delta.mean { break }
      best = rung
      if rung.passes { found = rung }
    }
    if let found {
      (choice, score) = (found.choice, found.score)
    } else if let best, !isAlternative {
      try searchHalves(group, best.damping, &context, study)
    }
  }

  /// Tries both halves of a group, and theirs as far as they do not pass.
  private mutating func searchHalves(
    _ group: SiteGroup, _ damping: Double, _ context: inout SearchContext, _ study: FilterStudy
  ) throws {
    guard let halves = group.halves else { return }
    for half in [halves.0, halves.1]
    where study.changes(choice.setting(.init(kind: kind, damping: damping), at: half.sites), half.sites) {
      guard let rung = try measure(half, damping, &context, study) else { return }
      if rung.passes {
        (choice, score) = (rung.choice, rung.score)
      } else {
        try searchHalves(half, damping, &context, study)
      }
    }
  }

  private struct Measured {
    let damping: Double
    let choice: FilterChoice
    let score: Score
    let delta: PairedDelta
    let passes: Bool
  }

  /// Nil when no more rungs may be measured.
  private mutating func measure(
    _ group: SiteGroup, _ damping: Double, _ context: inout SearchContext, _ study: FilterStudy
  ) throws -> Measured? {
    guard rungsLeft > 0, context.allowsTrial() else { return nil }
    rungsLeft -= 1
    let choice = choice.setting(.init(kind: kind, damping: damping), at: group.sites)
    let reductions = study.reductions(choice, fold: Folds.fitting)
    let before = score
    let (kind, isAlternative, level) = (kind, isAlternative, level)
    let rung = try context.rung { number, check in
      let after = try study.judge(reductions, checkpoint: check)
      let delta = PairedDelta(from: before, to: after)
      let p = Significance.pValue(delta, windows: after.windows.count)
      return SearchRecord.Rung(
        number: number, group: group.name, filter: kind, damping: damping, sites: group.sites.count,
        windows: after.windows, nll: after.meanNLL, delta: delta.mean, standardError: delta.standardError, level: level,
        passes: delta.mean < 0 && p < level, isAlternative: isAlternative, seconds: 0)
    }
    guard rung.group == group.name, rung.filter == kind, rung.damping == damping, rung.sites == group.sites.count,
      rung.windows.map(\.tokens) == before.windows.map(\.tokens)
    else { throw InputError("the journal does not fit the search: rung \(rung.number) is another one") }
    return Measured(
      damping: damping, choice: choice, score: Score(rung.windows),
      delta: PairedDelta(mean: rung.delta, standardError: rung.standardError), passes: rung.passes)
  }
}
