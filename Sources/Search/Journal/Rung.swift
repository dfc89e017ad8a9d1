package import Evaluation
package import RankReduction

extension SearchRecord {
  /// One step of the search for a damping: filters made from the fitting windows and measured on the judging ones.
  package struct Rung: Sendable, Codable, Equatable {
    package var number: Int
    /// Of gradients, from 1.
    package var round: Int
    /// Whose matrices: "feed-forward", "attention", or all for an alternative.
    package var group: String
    package var filter: FilterKind
    package var damping: Double
    /// Matrices that were filtered.
    package var sites: Int
    /// The judging windows' scores.
    package var windows: [WindowScore]
    package var nll: Double
    /// Against the model with what was kept before; nats per token, paired by window.
    package var delta: Double
    package var standardError: Double
    /// Of the test, corrected for how many there may be.
    package var level: Double
    /// Whether the nll falls by more than its noise, and the guard text, if there is one, allows it.
    package var passes: Bool
    /// What it does to the guard text; nil without one, and where the nll does not fall.
    package var guarded: GuardEvidence?
    /// Whether this is a measurement of an alternative, for comparison alone.
    package var isAlternative: Bool
    package var seconds: Double
  }
}
