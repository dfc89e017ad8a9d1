package import Evaluation
internal import Inference

/// A trial's outcome over the windows that it ran, with what is needed to keep it.
package struct TrialOutcome {
  /// The model that the scorer began with, the current one and the changed one on the same windows.
  package let original: Score
  package let before: Score
  package let after: Score
  /// Whether no window was left out. Then `after` has the windows in the order of the text.
  package let isComplete: Bool
  let changed: ChangedModel
  /// By shard.
  let likelihoods: [[TokenLikelihood]]

  package var evidence: TrialEvidence { TrialEvidence(original: original, before: before, after: after) }
}
