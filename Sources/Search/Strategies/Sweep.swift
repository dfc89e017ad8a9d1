internal import RankReduction

/// From the last layer down, each rank of each site against the model as it then is (laserRMT's order). A later keep at
/// a site replaces the earlier one.
enum Sweep: SearchStrategy {
  static func run(_ context: inout SearchContext) throws {
    context.expectedCount = context.sites.count * context.settings.rankRules.count
    switch context.settings.objective {
    case .perplexity: try sweepForPerplexity(&context)
    case .size(let tolerance): try sweepForSize(&context, tolerance: tolerance)
    }
  }

  private static func sweepForPerplexity(_ context: inout SearchContext) throws {
    var rule = ImprovementRule(
      Acceptance(
        confidence: context.settings.confidence, falseDiscoveryRate: context.settings.falseDiscoveryRate),
      futility: context.futility)
    let reducer = context.reducer
    try context.forEachSite { context, site, spectrum, decomposition in
      let ranks = context.ranks(for: spectrum)
      for (index, rank) in ranks.enumerated() {
        let trial = try context.trial(
          site, rank: rank, before: Array(ranks[(index + 1)...]), phase: .sweep, rule: &rule
        ) { try reducer.reduced(site, to: $0, decomposition) }
        if trial == nil { return }
      }
    }
  }

  /// From the smallest rank up, the first that stays within the allowance is kept. The i-th of n sites may use i / n of
  /// the tolerance, with all that was kept before it; what one site leaves, the next ones have.
  private static func sweepForSize(_ context: inout SearchContext, tolerance: Double) throws {
    var rule = AllowanceRule(
      allowance: 0, confidence: context.settings.confidence, futility: context.futility)
    let (siteCount, reducer) = (context.sites.count, context.reducer)
    var number = 0
    try context.forEachSite { context, site, spectrum, decomposition in
      number += 1
      rule.allowance = tolerance * Double(number) / Double(siteCount)
      let ranks = context.ranks(for: spectrum)
      for (index, rank) in ranks.enumerated() {
        let trial = try context.trial(
          site, rank: rank, before: Array(ranks[(index + 1)...]), phase: .sweep, rule: &rule
        ) { try reducer.reduced(site, to: $0, decomposition) }
        guard let trial, !trial.kept else { return }
      }
    }
  }

  static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double { trials.reduce(0) { $0 + $1.level } }
}
