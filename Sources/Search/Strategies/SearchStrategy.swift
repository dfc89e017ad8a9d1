package import Models
package import RankReduction
package import Wording

/// The order in which a search tries and keeps reductions. A new one is a type in a file of its own and a row in
/// `Strategies`.
package protocol SearchStrategy: Sendable {
  /// As people write it.
  static var name: String { get }
  /// What it does, in a sentence or two that begin with its name.
  static var help: String { get }
  /// What is tried when nothing is said.
  static var defaultRanks: [RankRule] { get }
  /// Which matrices are looked at when nothing is said; those that the model does not have are left out.
  static var defaultRoles: [Role] { get }
  /// Whether the first windows of trials are screened: pays for many trials.
  static var screensTrials: Bool { get }
  /// Whether it measures models on its way, and so can heed a text that may not get worse.
  static var measures: Bool { get }
  /// - Throws: `InputError` for settings that the strategy cannot follow.
  static func validate(_ settings: SearchSettings) throws(InputError)

  /// Finds reductions; what the context's trials kept is the plan.
  static func run(_ context: inout SearchContext) throws

  /// How many false positives are to be expected among the kept reductions: at most, the number of tests times the level at which they were
  /// made, if no reduction were any good.
  static func expectedFalseKeeps(_ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int) -> Double
}

extension SearchStrategy {
  package static var defaultRanks: [RankRule] { [0.9, 0.75, 0.5, 0.25, 0.1].map(RankRule.fraction) }
  package static var defaultRoles: [Role] { [.w1, .w2, .w3] }
  package static var screensTrials: Bool { true }
  package static var measures: Bool { true }

  package static func validate(_ settings: SearchSettings) throws(InputError) {
    if settings.objective != .perplexity { throw InputError("the objective size goes with the strategy sweep") }
  }

  package static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double { trials.reduce(0) { $0 + $1.level } }
}

/// The strategies that there are.
package enum Strategies {
  package static let all: [any SearchStrategy.Type] = [
    FilterSearch.self, Sweep.self, Greedy.self, NoiseEdge.self, Denoise.self,
  ]

  package static var names: [String] { all.map { $0.name } }

  package static var help: String { all.map { $0.help }.joined(separator: " ") }

  package static func named(_ name: String) -> (any SearchStrategy.Type)? { all.first { $0.name == name } }
}
