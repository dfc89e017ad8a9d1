package import Evaluation

/// What a changed model does to the text that may not get worse.
package struct GuardEvidence: Sendable, Codable, Equatable {
  /// Against the original model, paired by window; nats per token.
  package let delta: Double
  package let standardError: Double
  /// Whether the text gets worse, with confidence, by no more than is allowed.
  package let passes: Bool

  /// A test of non-inferiority: the upper confidence bound of the change must not exceed the limit.
  package init(_ change: PairedDelta, windows: Int, limit: Double, confidence: Double) {
    (delta, standardError) = (change.mean, change.standardError.isFinite ? change.standardError : 1e11)
    let excess = PairedDelta(mean: change.mean - limit, standardError: change.standardError)
    passes =
      excess.mean <= 0
      && (excess.standardError == 0 || Significance.pValue(excess, windows: windows) <= 1 - confidence)
  }
}
