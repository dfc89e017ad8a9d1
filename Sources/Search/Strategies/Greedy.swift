internal import Models
internal import RankReduction

extension Search {
  /// The share of a budget that single reductions may use; the rest is for their composition.
  private static let screeningShare = 0.75

  /// Every single reduction against the original model; then, from the best on, those that count as findings are composed,
  /// each measured again on top of those kept before.
  ///
  /// The false discovery rate is controlled over the single reductions (Benjamini & Hochberg); in the composition each must
  /// still improve the model with confidence.
  func greedy(_ trials: inout TrialSequence) throws -> [Reduction] {
    trials.expectedCount = sites.count * settings.ranks.count
    trials.budget = settings.budget?.part(Self.screeningShare)
    var screening = ScreeningRule(level: GreedyScreening.level(record), futility: trials.futility)
    var singles: [SearchRecord.Trial] = []
    try trials.forEachSite { trials, site, spectrum, decomposition in
      let ranks = ranks(for: spectrum)
      for (index, rank) in ranks.enumerated() {
        let trial = try trials.trial(
          site, rank: rank, before: Array(ranks[(index + 1)...]), phase: .single, rule: &screening
        ) {
          try reduced(site, to: $0, decomposition)
        }
        guard let trial else { return }
        singles.append(trial)
      }
    }
    let findings = GreedyScreening.findings(singles, record)
    trials.expectedCount = singles.count + findings.count
    trials.budget = settings.budget
    var composing = ImprovementRule(
      Acceptance(confidence: settings.confidence, falseDiscoveryRate: 1), futility: trials.futility)
    for finding in findings {
      let trial = try trials.trial(finding.site, rank: finding.rank, phase: .composition, rule: &composing) {
        try reducer.decompose(finding.site).reduced(to: $0)
      }
      if trial == nil { break }
    }
    return trials.kept
  }
}
