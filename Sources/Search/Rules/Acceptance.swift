package import Evaluation
internal import Glibc

/// The rule by which reductions are kept: the mean nll falls by more than its noise, judged as one of many.
///
/// Each trial is a one-sided paired test. Its level is the smaller of 1 − confidence and what SAFFRON (Ramdas et al.
/// 2018, arXiv 1802.09098) allows so that, over the whole search, the expected share of false positives stays below
/// the false discovery rate q. With λ = 1/2, the t-th test gets
///
///     α_t = min(λ, (1 − λ) Σ_j w_j γ(t − τⱼ − Cⱼ)),   w₀ = q/2, w₁ = q/2, w₂ = w₃ = … = q,
///
/// where τ₀ = 0, τⱼ is the j-th test that kept something, Cⱼ counts the tests since then with p ≤ λ, and γ(k) ∝ k^−1.6
/// sums to 1: only tests that look like nothing use up the right to test. A search that finds much may test freely; one
/// that finds nothing soon asks for overwhelming evidence.
package struct Acceptance: Sendable {
  package let confidence: Double
  /// 1 leaves every test to the confidence alone.
  package let falseDiscoveryRate: Double
  /// For the beginning and for each keep: how many tests with p > λ came after it.
  private var unpromising = [0]

  private static let promising = 0.5

  package init(confidence: Double, falseDiscoveryRate: Double) {
    self.confidence = confidence
    self.falseDiscoveryRate = falseDiscoveryRate
  }

  /// The level of the next test: the probability of passing it by chance.
  package var level: Double { min(1 - confidence, falseDiscoveryRate < 1 ? onlineLevel : 1) }

  private var onlineLevel: Double {
    let sum = unpromising.enumerated().reduce(0) { sum, entry in
      sum + (entry.offset < 2 ? 0.5 : 1) * Self.share(entry.element + 1)
    }
    return min(Self.promising, (1 - Self.promising) * falseDiscoveryRate * sum)
  }

  /// γ(k); the divisor is ζ(1.6).
  private static func share(_ k: Int) -> Double { pow(Double(k), -1.6) / 2.285765735 }

  /// - Parameter windows: How many the delta is over.
  package func keeps(_ delta: PairedDelta, windows: Int) -> Bool {
    delta.mean < 0 && Significance.pValue(delta, windows: windows) < level
  }

  /// Records what became of the test that `level` was for. Of a trial that was stopped, the windows it ran count.
  /// One that changed nothing was no test.
  package mutating func record(_ delta: PairedDelta, windows: Int, kept: Bool) {
    guard delta.standardError > 0 else { return }
    if Significance.pValue(delta, windows: windows) > Self.promising {
      for index in unpromising.indices { unpromising[index] += 1 }
    }
    if kept { unpromising.append(0) }
  }
}
