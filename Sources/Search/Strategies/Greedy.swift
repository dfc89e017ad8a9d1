internal import RankReduction

/// Every single reduction against the original model; then, from the best on, those that count as findings are
/// composed, each measured again on top of those kept before (the composition of the LASER paper).
///
/// The false discovery rate is controlled over the single reductions (Benjamini & Hochberg); in the composition each
/// must still improve the model with confidence.
enum Greedy: SearchStrategy {
  /// The share of a budget that single reductions may use; the rest is for their composition.
  private static let singleShare = 0.75

  static func run(_ context: inout SearchContext) throws {
    let (settings, reducer) = (context.settings, context.reducer)
    context.expectedCount = context.sites.count * settings.rankRules.count
    context.budget = settings.budget?.part(singleShare)
    let test = test(settings, windowCount: context.windowCount)
    var rule = SingleTrialRule(level: test.level, futility: context.futility)
    var singles: [SearchRecord.Trial] = []
    try context.forEachSite { context, site, spectrum, decomposition in
      let ranks = context.ranks(for: spectrum)
      for (index, rank) in ranks.enumerated() {
        let trial = try context.trial(
          site, rank: rank, before: Array(ranks[(index + 1)...]), phase: .single, rule: &rule
        ) { try reducer.reduced(site, to: $0, decomposition) }
        guard let trial else { return }
        singles.append(trial)
      }
    }
    let findings = test.findings(singles)
    context.expectedCount = singles.count + findings.count
    context.budget = settings.budget
    var composing = ImprovementRule(
      Acceptance(confidence: settings.confidence, falseDiscoveryRate: 1), futility: context.futility)
    context.expectTrials(at: findings.map { ($0.site, 1) })
    for finding in findings {
      let trial = try context.trial(finding.site, rank: finding.rank, phase: .composition, rule: &composing) {
        try reducer.reduced(finding.site, to: $0, nil)
      }
      if trial == nil { break }
    }
  }

  static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double {
    Double(trials.count { $0.phase == .single }) * test(settings, windowCount: windowCount).threshold(trials)
  }

  private static func test(_ settings: SearchSettings, windowCount: Int) -> SingleTrialTest {
    SingleTrialTest(
      confidence: settings.confidence, falseDiscoveryRate: settings.falseDiscoveryRate, windowCount: windowCount)
  }
}
