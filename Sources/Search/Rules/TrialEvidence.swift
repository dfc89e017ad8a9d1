package import Evaluation

/// What the windows that a trial has run say of its reduction.
package struct TrialEvidence: Sendable {
  /// Against the model that it was tried on.
  package let delta: PairedDelta
  /// Against the original model, with all that was kept before.
  package let total: PairedDelta
  package let windows: Int

  /// Of a trial on the original model, or of one whose change against that does not matter.
  init(_ delta: PairedDelta, windows: Int) { (self.delta, total, self.windows) = (delta, delta, windows) }

  /// The scores of three models on the same windows.
  package init(original: Score, before: Score, after: Score) {
    delta = PairedDelta(from: before, to: after)
    total = PairedDelta(from: original, to: after)
    windows = after.windows.count
  }
}
