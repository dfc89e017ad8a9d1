internal import Checkpoints
package import Evaluation
package import Models
package import RankReduction
internal import Tensors
package import Wording

// What settings mean together, what single values look like, and which no search can have.

extension SearchSettings {
  package var convention: Convention {
    // A name that is none was refused when it was read.
    Convention(name: conventionName, stride: stride ?? max(1, context / 2)) ?? .windows
  }

  package var objective: Objective {
    objectiveName == Objective.perplexity.name
      ? .perplexity : .size(tolerance: tolerance ?? Objective.defaultTolerance)
  }

  package var selection: SiteSelection {
    SiteSelection(
      layers: layers, experts: experts, roles: roles ?? strategy.defaultRoles, allowsAbsentRoles: roles == nil)
  }

  /// Those asked for, or the strategy's own.
  package var rankRules: [RankRule] { ranks ?? strategy.defaultRanks }

  /// All that a search reads.
  package var files: [String] {
    ([model] + (base.map { [$0] } ?? [])).map { (try? modelPath($0)) ?? $0 } + text + heldOut + guardText + questions
      + heldOutQuestions
  }

  /// - Throws: `InputError` for settings that no search can have, whatever the model.
  package func validate() throws(InputError) {
    for setting in Setting.all where setting.isRequired && setting.write(self).allSatisfy(\.isEmpty) {
      throw InputError("\"\(setting.key)\" is missing")
    }
    try validateWindows()
    try validateQuestions()
    guard confidence >= 0.5, confidence < 1 else {
      throw InputError("the confidence must be at least 0.5 and below 1")
    }
    guard falseDiscoveryRate > 0, falseDiscoveryRate <= 1 else {
      throw InputError("the false discovery rate must be above 0 and at most 1")
    }
    if let tolerance {
      guard objective != .perplexity else { throw InputError("a tolerance goes with the objective size") }
      guard tolerance >= 0 else { throw InputError("the tolerance must be a number of nats per token of at least 0") }
    }
    if let guardLimit {
      guard !guardText.isEmpty else { throw InputError("a guard limit goes with guard texts") }
      guard guardLimit >= 0 else {
        throw InputError("the guard limit must be a number of nats per token of at least 0")
      }
    }
    guard guardText.isEmpty || strategy.measures else {
      throw InputError("the strategy \(strategy.name) measures nothing on its way, so it heeds no guard text")
    }
    try validateStrategy()
  }

  package static let defaultGuardLimit = 0.01

  /// Nats per token that the guard text may get worse by.
  package var allowedOnGuard: Double { guardLimit ?? Self.defaultGuardLimit }

  /// What the questions are of the whole.
  package var shareOfQuestions: Double { questionShare ?? 0.5 }

  /// - Throws: `InputError` for settings that the strategy cannot follow.
  private func validateStrategy() throws(InputError) {
    if strategy != .sweep, objective != .perplexity {
      throw InputError("the objective size goes with the strategy sweep")
    }
    switch strategy {
    case .sweep, .greedy: break
    case .filters:
      if ranks != nil {
        throw InputError("the strategy filters has no ranks to try; leave them out, or choose --strategy sweep")
      }
      if let damping, damping <= 0 { throw InputError("the damping must be above 0") }
      guard (1...Self.mostRounds).contains(rounds) else {
        throw InputError("the rounds must be from 1 to \(Self.mostRounds)")
      }
    case .noiseEdge:
      if rankRules != [.noiseEdge], rankRules != [.optimalThreshold] {
        throw InputError("the strategy noise-edge chooses the ranks itself; leave them out, or give svht")
      }
    case .denoise:
      if ranks != nil { throw InputError("the strategy denoise has no ranks; leave them out") }
    }
  }

  private static let mostRounds = 8

  private func validateQuestions() throws(InputError) {
    if text.allSatisfy(\.isEmpty), questions.isEmpty {
      throw InputError("\"text\" is missing, or \"questions\": a search is for one of them or both")
    }
    if text.isEmpty, !heldOut.isEmpty { throw InputError("held-out text goes with text to search on") }
    if questions.isEmpty, !heldOutQuestions.isEmpty || !querySuffix.isEmpty {
      throw InputError("held-out questions and a query suffix go with questions to search on")
    }
    if let questionShare {
      guard !text.isEmpty, !questions.isEmpty else {
        throw InputError("a share of the questions goes with both text and questions")
      }
      guard questionShare > 0, questionShare < 1 else {
        throw InputError("the share of the questions must be above 0 and below 1")
      }
    }
  }

  /// - Throws: `InputError` for windows that no text can be cut into.
  package func validateWindows() throws(InputError) {
    guard (2...1 << 20).contains(context) else { throw InputError("the context must be from 2 to 1048576 tokens") }
    if convention == .llamaCpp, context < 4 {
      throw InputError("the llama.cpp convention needs a context of at least 4")
    }
    if let stride {
      guard convention.stride != nil else { throw InputError("a stride goes with the convention strided") }
      guard (1...context).contains(stride) else {
        throw InputError("the stride must be from 1 to the context, \(context)")
      }
    }
  }

  static func precision(_ text: String) throws(InputError) -> Precision {
    guard let precision = Precision(rawValue: text) else {
      throw InputError(unknownWord(text, what: "a precision", known: Precision.allCases.map(\.rawValue)))
    }
    return precision
  }

  static func budget(_ text: String) throws(InputError) -> Budget? {
    guard let budget = Budget(text) else { throw InputError("\"\(text)\" is not a budget; give \(Budget.syntax)") }
    return budget
  }

  static func strategy(_ text: String) throws(InputError) -> Strategy {
    guard let strategy = Strategy(rawValue: text) else {
      throw InputError(unknownWord(text, what: "a strategy", known: Strategy.allCases.map(\.name)))
    }
    return strategy
  }

  static func filter(_ text: String) throws(InputError) -> FilterKind {
    guard let kind = FilterKind(rawValue: text) else {
      throw InputError(unknownWord(text, what: "a filter", known: FilterKind.allCases.map(\.rawValue)))
    }
    return kind
  }

  package static func roles(_ text: String) throws(InputError) -> [Role]? {
    var roles: [Role] = []
    for part in parts(of: text) {
      guard let role = Role(name: part) else {
        let known = Role.allCases.map(\.rawValue) + ["gate_proj (w1)", "up_proj (w3)", "down_proj (w2)"]
        throw InputError(unknownWord(part, what: "a role", known: known))
      }
      if !roles.contains(role) { roles.append(role) }
    }
    return roles
  }

  static func ranks(_ text: String) throws(InputError) -> [RankRule]? {
    var rules: [RankRule] = []
    for part in parts(of: text) {
      guard let rule = RankRule(part) else { throw InputError("\"\(part)\" is not a rank; give \(RankRule.syntax)") }
      rules.append(rule)
    }
    return rules
  }

  private static func parts(of text: String) -> [String] {
    text.split(separator: ",", omittingEmptySubsequences: false).map { $0.filter { $0 != " " } }
  }
}
