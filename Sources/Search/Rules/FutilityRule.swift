package import Evaluation

/// When a trial is stopped: the windows run so far say that the rest cannot make it acceptable.
///
/// After k of n windows with mean delta d and standard deviation s of a window, the mean over all n windows is
/// predicted as normal around d with variance s²(1/k − 1/n). The trial would be kept if that mean fell below
/// c − z s/√n, c the threshold of the test (0 for an improvement). It is stopped when the probability of this is below
/// `risk` divided by the number of looks (Bonferroni; looks at the same windows in two precisions count as one), so
/// that at most `risk` of the reductions that all windows would have accepted are lost. Stopping can only reject, so it
/// adds no false discoveries.
package struct FutilityRule: Sendable {
  package static let risk = 0.05

  private let quantile: Double
  private let windowCount: Int

  package init(looks: Int, windowCount: Int) {
    quantile = Significance.normalQuantile(1 - Self.risk / Double(max(1, looks)))
    self.windowCount = windowCount
  }

  /// - Parameters:
  ///   - delta: Over the windows run so far.
  ///   - threshold: What the mean must stay below by more than its noise; nats per token.
  ///   - level: Of the test that waits at the end.
  package func stops(_ delta: PairedDelta, windows: Int, threshold: Double, level: Double) -> Bool {
    guard windows < windowCount, delta.standardError.isFinite else { return false }
    let (k, n) = (Double(windows), Double(windowCount))
    let deviation = delta.standardError * k.squareRoot()
    let best = delta.mean - quantile * deviation * (1 / k - 1 / n).squareRoot()
    return best > threshold - Significance.normalQuantile(1 - level) * deviation / n.squareRoot()
  }
}
