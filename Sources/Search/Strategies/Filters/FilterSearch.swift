internal import Evaluation
package import Models
internal import RankReduction
package import Wording

/// A factor for each singular direction, in closed form from one backward pass; only the damping is searched. See
/// `DirectionStatistics` for the formula, `Folds` and `DampingSearch` for how the damping is chosen.
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
  }

  package static func run(_ context: inout SearchContext) throws {
    let study = try context.filterStudy()
    let report = context.report
    let original = try study.judge([]) { try report(.baseline(share: $0)) }
    var search = DampingSearch(context.settings.filter, settings: context.settings, original: original)
    let groups = SiteGroup.groups(of: context.sites)
    context.expectedCount = groups.count * (DampingSearch.ladder.count + DampingSearch.alternativeLadder.count)
    for group in groups { try search.search(group, &context, study) }
    try context.keep(
      study.final(search.choice), PairedDelta(from: original, to: search.score), nll: search.score.meanNLL,
      windows: original.windows.count, search.choice)
    context.alternatives = try alternatives(&context, study, original: original)
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
      Alternative(name: "one factor for each matrix", reductions: study.final(scales.choice).map(\.reduction)))
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
