internal import Evaluation
internal import Models
internal import RankReduction
internal import Wording

/// A factor for each singular direction, in closed form from one backward pass; only the damping is searched. See
/// `DirectionStatistics` for the formula, `Folds` and `DampingSearch` for how the damping is chosen. Further rounds pass
/// backwards through the model with the filters so far, and count only if the judging windows score better with them.
///
/// What needs no choice of directions is measured beside it: the best factor of each matrix as a whole and, relative to a
/// base, the base's own matrices.
enum FilterSearch: SearchStrategy {
  static func run(_ context: inout SearchContext) throws {
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
  ) throws -> [AlternativeReductions] {
    var found: [AlternativeReductions] = []
    if context.reducer.kind == .delta {
      found.append(AlternativeReductions(name: "the base's own matrices", reductions: study.scaled(by: 0)))
    }
    guard context.settings.filter != .scale else { return found }
    var scales = DampingSearch(.scale, settings: context.settings, original: original, isAlternative: true)
    for group in SiteGroup.groups(of: context.sites) { try scales.search(group, &context, study) }
    found.append(
      AlternativeReductions(
        name: "one factor for each matrix", reductions: try study.final(scales.choice).map(\.reduction)))
    return found
  }
}
