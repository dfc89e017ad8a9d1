internal import Evaluation

/// Which of many single reductions, each measured against the original model, count as findings.
struct SingleTrialTest {
  let confidence: Double
  /// 1 judges each by itself.
  let falseDiscoveryRate: Double
  /// Of the search text. A trial that was stopped counts as a test that found nothing.
  let windowCount: Int

  /// The largest p that can count.
  var level: Double {
    falseDiscoveryRate < 1 ? min(1 - confidence, falseDiscoveryRate) : 1 - confidence
  }

  /// The p below which a single reduction counts as a finding.
  func threshold(_ trials: [SearchRecord.Trial]) -> Double {
    let pValues = trials.filter { $0.phase == .single }.map(pValue)
    return min(1 - confidence, FalseDiscovery.threshold(pValues, rate: falseDiscoveryRate))
  }

  /// The findings, the best first.
  func findings(_ singles: [SearchRecord.Trial]) -> [SearchRecord.Trial] {
    let threshold = threshold(singles)
    return singles.filter { $0.delta < 0 && pValue($0) <= threshold }
      .sorted { ($0.delta, $0.number) < ($1.delta, $1.number) }
  }

  private func pValue(_ trial: SearchRecord.Trial) -> Double {
    guard trial.windowsUsed == windowCount, let delta = trial.pairedDelta else { return 1 }
    return Significance.pValue(delta, windows: windowCount)
  }
}
