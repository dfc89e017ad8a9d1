package import Evaluation

/// Decides which trials are kept, and which need not be run to their end.
package protocol TrialRule {
  /// The probability of passing the next test by chance.
  var level: Double { get }
  /// Whether the windows run so far leave no fair chance that the trial will be kept.
  func stops(_ evidence: TrialEvidence) -> Bool
  /// Whether a trial over all windows is kept.
  func keeps(_ evidence: TrialEvidence) -> Bool
  /// Records what became of a trial. Of one that was stopped, the windows it ran count.
  mutating func record(_ delta: PairedDelta, windows: Int, kept: Bool)
}

/// Keeps what lowers the nll by more than its noise.
package struct ImprovementRule: TrialRule {
  private var acceptance: Acceptance
  private let futility: FutilityRule

  package init(_ acceptance: Acceptance, futility: FutilityRule) {
    self.acceptance = acceptance
    self.futility = futility
  }

  package var level: Double { acceptance.level }

  package func stops(_ evidence: TrialEvidence) -> Bool {
    futility.stops(evidence.delta, windows: evidence.windows, threshold: 0, level: level)
  }

  package func keeps(_ evidence: TrialEvidence) -> Bool {
    acceptance.keeps(evidence.delta, windows: evidence.windows)
  }

  package mutating func record(_ delta: PairedDelta, windows: Int, kept: Bool) {
    acceptance.record(delta, windows: windows, kept: kept)
  }
}

/// Measures and keeps nothing; stops what would not improve the model even if it were judged alone.
struct SingleTrialRule: TrialRule {
  let level: Double
  let futility: FutilityRule

  func stops(_ evidence: TrialEvidence) -> Bool {
    futility.stops(evidence.delta, windows: evidence.windows, threshold: 0, level: level)
  }

  func keeps(_ evidence: TrialEvidence) -> Bool { false }

  mutating func record(_ delta: PairedDelta, windows: Int, kept: Bool) {}
}

/// Keeps what leaves the model's total loss, with confidence, within an allowance: a test of non-inferiority.
///
/// The upper confidence bound of the change against the original model must not exceed the allowance.
package struct AllowanceRule: TrialRule {
  /// Nats per token above the original model's nll.
  package var allowance: Double
  package let level: Double
  private let futility: FutilityRule

  package init(allowance: Double, confidence: Double, futility: FutilityRule) {
    self.allowance = allowance
    level = 1 - confidence
    self.futility = futility
  }

  package func stops(_ evidence: TrialEvidence) -> Bool {
    futility.stops(evidence.total, windows: evidence.windows, threshold: allowance, level: level)
  }

  package func keeps(_ evidence: TrialEvidence) -> Bool {
    let excess = PairedDelta(mean: evidence.total.mean - allowance, standardError: evidence.total.standardError)
    guard excess.standardError > 0 else { return excess.mean <= 0 }
    return excess.mean <= 0 && Significance.pValue(excess, windows: evidence.windows) <= level
  }

  package mutating func record(_ delta: PairedDelta, windows: Int, kept: Bool) {}
}
