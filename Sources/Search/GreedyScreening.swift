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
