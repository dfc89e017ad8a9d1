package import Models
package import RankReduction

/// The order in which a search tries and keeps reductions. A new one is a case here and a `SearchStrategy` that runs it.
package enum Strategy: String, Sendable, CaseIterable {
  case filters
  case sweep
  case greedy
  case noiseEdge = "noise-edge"
  case denoise

  /// As people write it.
  package var name: String { rawValue }

  /// What it does, in a sentence or two that begin with its name.
  package var help: String {
    switch self {
    case .filters:
      "filters weighs every singular direction, in closed form from one backward pass, and measures only how cautious to be."
    case .sweep: "sweep goes from the last layer down and keeps what improves the model as it then is."
    case .greedy: "greedy measures every single reduction first and composes the best."
    case .noiseEdge:
      "noise-edge cuts every site at the edge of its noise (with --ranks svht at the optimal threshold), without trials."
    case .denoise:
      "denoise shrinks every singular value by what noise added to it, and drops what is noise alone, without trials."
    }
  }

  /// What is tried when nothing is said.
  package var defaultRanks: [RankRule] {
    self == .noiseEdge ? [.noiseEdge] : [0.9, 0.75, 0.5, 0.25, 0.1].map(RankRule.fraction)
  }

  /// Which matrices are looked at when nothing is said; those that the model does not have are left out.
  package var defaultRoles: [Role] { self == .filters ? Role.allCases : [.w1, .w2, .w3] }

  /// Whether it measures models on its way, and so can heed a text that may not get worse.
  package var measures: Bool {
    switch self {
    case .filters, .sweep, .greedy: true
    case .noiseEdge, .denoise: false
    }
  }

  /// Whether the first windows of trials are screened: pays for many trials.
  package var screensTrials: Bool { measures && self != .filters }
}
