internal import Wording

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

  /// - Throws: `SearchError` for a name that is none, and for a tolerance where there is none to have.
  package init(name: String, tolerance: Double?) throws(SearchError) {
    switch name {
    case "perplexity":
      guard tolerance == nil else { throw SearchError("a tolerance goes with the objective size") }
      self = .perplexity
    case "size":
      let tolerance = tolerance ?? Self.defaultTolerance
      guard tolerance.isFinite, tolerance >= 0 else {
        throw SearchError("the tolerance must be a number of nats per token of at least 0")
      }
      self = .size(tolerance: tolerance)
    default:
      throw SearchError(unknownWord(name, what: "an objective", known: Self.names))
    }
  }
}
