/// What a search is after.
package enum Objective: Sendable, Equatable {
  /// The lowest perplexity.
  case perplexity
  /// The largest reduction whose nll stays, with confidence, within a tolerance of the original's; nats per token.
  case size(tolerance: Double)

  package static let names = ["perplexity", "size"]
  package static let defaultTolerance = 0.01

  package var name: String {
    switch self {
    case .perplexity: "perplexity"
    case .size: "size"
    }
  }

  package var tolerance: Double? {
    if case .size(let tolerance) = self { tolerance } else { nil }
  }
}
