package import Evaluation
package import Inference
package import RankReduction
package import Tensors
internal import Wording

/// Everything that decides what a search does. Two searches with equal settings on equal files make equal plans.
package struct SearchSettings: Sendable {
  package var model: String
  /// A checkpoint; when given, differences to it are truncated instead of the weights.
  package var base: String?
  package var text: [String]
  /// Empty to hold out the second half of every text.
  package var heldOut: [String]
  package var convention: Convention
  package var context: Int
  /// Nil for what the model's configuration says.
  package var expertsPerToken: Int?
  package var selection: SiteSelection
  package var ranks: [RankRule]
  /// Of the one-sided test that a reduction must pass to be kept; 0.5 keeps any decrease.
  package var confidence: Double
  /// The share of keeps that may be luck, over the whole search; 1 leaves every test to the confidence alone.
  package var falseDiscoveryRate: Double
  /// Whether every trial runs over all windows, also when it cannot be accepted any more.
  package var isExhaustive: Bool
  /// What the first windows of a trial are run in, an eighth of all at most. A trial that they do not stop is run in float32.
  package var screening: Precision
  package var strategy: Strategy
  package var objective: Objective
  /// Nil to try everything.
  package var budget: Budget?
  /// Whether random directions are dropped instead of the weakest, to see what a search finds by chance.
  package var isControl: Bool

  package init(
    model: String, base: String?, text: [String], heldOut: [String], convention: Convention, context: Int,
    expertsPerToken: Int?, selection: SiteSelection, ranks: [RankRule], confidence: Double, falseDiscoveryRate: Double,
    isExhaustive: Bool, screening: Precision = SearchSettings.defaultScreening, strategy: Strategy,
    objective: Objective, budget: Budget?,
    isControl: Bool
  ) {
    self.model = model
    self.base = base
    self.text = text
    self.heldOut = heldOut
    self.convention = convention
    self.context = context
    self.expertsPerToken = expertsPerToken
    self.selection = selection
    self.ranks = ranks
    self.confidence = confidence
    self.falseDiscoveryRate = falseDiscoveryRate
    self.isExhaustive = isExhaustive
    self.screening = screening
    self.strategy = strategy
    self.objective = objective
    self.budget = budget
    self.isControl = isControl
  }
}

extension SearchSettings {
  /// All that a search reads.
  package var files: [String] { [model] + (base.map { [$0] } ?? []) + text + heldOut }
}

// MARK: - What people write

extension SearchSettings {
  package static let defaultRoles = "w1,w2,w3"
  /// What is tried when nothing is said; the strategy noise-edge has its one rule.
  package static func defaultRanks(_ strategy: Strategy) -> String {
    strategy == .noiseEdge ? RankRule.noiseEdge.description : "0.9,0.75,0.5,0.25,0.1"
  }
  package static let defaultScreening = Precision.bfloat16
  package static let defaultConfidence = 0.95
  package static let defaultFalseDiscoveryRate = 0.1

  package static func strategy(_ text: String) throws(SearchError) -> Strategy {
    guard let strategy = Strategy(rawValue: text) else {
      throw SearchError(unknownWord(text, what: "a strategy", known: Strategy.allCases.map(\.rawValue)))
    }
    return strategy
  }

  package static func precision(_ text: String) throws(SearchError) -> Precision {
    guard let precision = Precision(rawValue: text) else {
      throw SearchError(unknownWord(text, what: "a precision", known: Precision.allCases.map(\.rawValue)))
    }
    return precision
  }

  package static func budget(_ text: String) throws(SearchError) -> Budget {
    guard let budget = Budget(text) else { throw SearchError("\"\(text)\" is not a budget; give \(Budget.syntax)") }
    return budget
  }

  package static func roles(_ text: String) throws(SearchError) -> [Role] {
    var roles: [Role] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false).map({ String($0.filter { $0 != " " }) }) {
      guard let role = Role(name: part) else {
        let known = Role.allCases.map(\.rawValue) + ["gate_proj (w1)", "up_proj (w3)", "down_proj (w2)"]
        throw SearchError(unknownWord(part, what: "a role", known: known))
      }
      if !roles.contains(role) { roles.append(role) }
    }
    return roles
  }

  package static func ranks(_ text: String) throws(SearchError) -> [RankRule] {
    var rules: [RankRule] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false).map({ String($0.filter { $0 != " " }) }) {
      guard let rule = RankRule(part) else {
        throw SearchError(
          "\"\(part)\" is not a rank; give \(RankRule.syntax)")
      }
      rules.append(rule)
    }
    return rules
  }

  /// - Throws: `SearchError` for numbers that no search can have, whatever the model.
  package func validate() throws(SearchError) {
    guard (2...1 << 20).contains(context) else { throw SearchError("the context must be from 2 to 1048576 tokens") }
    if convention == .llamaCpp, context < 4 {
      throw SearchError("the llama.cpp convention needs a context of at least 4")
    }
    if let stride = convention.stride, !(1...context).contains(stride) {
      throw SearchError("the stride must be from 1 to the context, \(context)")
    }
    guard confidence >= 0.5, confidence < 1 else {
      throw SearchError("the confidence must be at least 0.5 and below 1")
    }
    if strategy == .noiseEdge, ranks != [.noiseEdge] {
      throw SearchError("the strategy noise-edge chooses the ranks itself; leave them out")
    }
    if objective != .perplexity, strategy != .sweep {
      throw SearchError("the objective size goes with the strategy sweep")
    }
    guard falseDiscoveryRate > 0, falseDiscoveryRate <= 1 else {
      throw SearchError("the false discovery rate must be above 0 and at most 1")
    }
  }
}
