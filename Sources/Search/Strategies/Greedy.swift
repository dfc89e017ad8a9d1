internal import Inference
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
      for rank in ranks(for: spectrum) {
        let trial = try trials.trial(site, rank: rank, phase: .single, rule: &screening) {
          try reduced(site, to: rank, decomposition)
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
        try reducer.decompose(finding.site).reduced(to: finding.rank)
      }
      if trial == nil { break }
    }
    return trials.kept
  }
}

/// Which single reductions count as findings.
enum GreedyScreening {
  /// The largest p that can count.
  static func level(_ settings: SearchRecord.Settings) -> Double {
    settings.falseDiscoveryRate < 1
      ? min(1 - settings.confidence, settings.falseDiscoveryRate) : 1 - settings.confidence
  }

  /// The p below which a single reduction counts as a finding. Those that were stopped count as tests that found nothing.
  static func threshold(_ trials: [SearchRecord.Trial], _ settings: SearchRecord.Settings) -> Double {
    let pValues = trials.filter { $0.phase == .single }.map { pValue($0, settings) }
    return min(1 - settings.confidence, FalseDiscovery.threshold(pValues, rate: settings.falseDiscoveryRate))
  }

  /// The findings, the best first.
  static func findings(
    _ singles: [SearchRecord.Trial], _ settings: SearchRecord.Settings
  ) -> [SearchRecord.Trial] {
    let threshold = threshold(singles, settings)
    return singles.filter { $0.delta < 0 && pValue($0, settings) <= threshold }
      .sorted { ($0.delta, $0.number) < ($1.delta, $1.number) }
  }

  private static func pValue(_ trial: SearchRecord.Trial, _ settings: SearchRecord.Settings) -> Double {
    let windowCount = settings.text.reduce(0) { $0 + $1.windows }
    guard trial.windowsUsed == windowCount, let delta = trial.pairedDelta else { return 1 }
    return Significance.pValue(delta, windows: windowCount)
  }
}
