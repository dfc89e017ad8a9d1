internal import Evaluation
package import Models
internal import RankReduction
package import Wording

/// A factor for each singular direction, in closed form from one backward pass; only the damping is searched. See
/// `DirectionStatistics` for the formula, `Folds` and `DampingSearch` for how the damping is chosen. Further rounds pass
/// backwards through the model with the filters so far, and count only if the judging windows score better with them.
///
/// What needs no choice of directions is measured beside it: the best factor of each matrix as a whole and, relative to a
/// base, the base's own matrices.
package enum FilterSearch: SearchStrategy {
  package static let name = "filters"
  package static let help =
    "filters weighs every singular direction, in closed form from one backward pass, and measures only how cautious to be."
  package static let defaultRoles = Role.allCases
  package static let screensTrials = false

  package static func validate(_ settings: SearchSettings) throws(InputError) {
    if settings.objective != .perplexity { throw InputError("the objective size goes with the strategy sweep") }
    if settings.ranks != nil {
      throw InputError("the strategy filters has no ranks to try; leave them out, or choose --strategy sweep")
    }
    if let damping = settings.damping, damping <= 0 { throw InputError("the damping must be above 0") }
    guard (1...mostRounds).contains(settings.rounds) else {
      throw InputError("the rounds must be from 1 to \(mostRounds)")
    }
  }

  private static let mostRounds = 8

  package static func run(_ context: inout SearchContext) throws {
    let folds = Folds(context.search.text)
    guard folds.windows(Folds.fitting).count > 1, folds.windows(Folds.judging).count > 1 else {
      throw InputError(
        "the search text has \(context.windowCount) windows, too few to make filters from one half of them and judge "
          + "them on the other; give more text or a smaller --context")
    }
    let settings = context.settings
    let groups = SiteGroup.groups(of: context.sites)
    context.expectedCount =
      groups.count * DampingSearch.usualRungs * (settings.rounds + (settings.filter == .scale ? 0 : 1))
    let first = try context.filterStudy(folds)
    let whole = try context.original()
    let original = Score(folds.windows(Folds.judging).map { whole.windows[$0] })
    var search = DampingSearch(settings.filter, settings: settings, original: original)
    for group in groups { try search.search(group, &context, first) }
    var (study, choice, score) = (first, search.choice, search.score)
    var recipes = choice
    for round in stride(from: 2, through: settings.rounds, by: 1) where !choice.isEmpty {
      let next = try context.filterStudy(folds, round: round, after: study, choice)
      var search = DampingSearch(settings.filter, settings: settings, original: score, round: round)
      for group in groups { try search.search(group, &context, next) }
      guard !search.choice.isEmpty else { break }
      (study, choice, score) = (next, search.choice, search.score)
      recipes = recipes.followed(by: choice)
    }
    try context.keep(
      study.final(choice), PairedDelta(from: original, to: score), nll: score.meanNLL,
      windows: original.windows.count, recipes)
    context.alternatives = try alternatives(&context, first, original: original)
  }

  private static func alternatives(
    _ context: inout SearchContext, _ study: FilterStudy, original: Score
  ) throws -> [Alternative] {
    var found: [Alternative] = []
    if context.reducer.kind == .delta {
      found.append(Alternative(name: "the base's own matrices", reductions: study.scaled(by: 0)))
    }
    guard context.settings.filter != .scale else { return found }
    var scales = DampingSearch(.scale, settings: context.settings, original: original, isAlternative: true)
    for group in SiteGroup.groups(of: context.sites) { try scales.search(group, &context, study) }
    found.append(
      Alternative(
        name: "one factor for each matrix", reductions: try study.final(scales.choice).map(\.reduction)))
    return found
  }

  package static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double { 0 }
}

/// What needs no search of its own, to be measured beside the result.
struct Alternative {
  let name: String
  let reductions: [Reduction]
}
