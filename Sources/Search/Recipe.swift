internal import Evaluation
internal import Models
internal import RankReduction
internal import Tensors

/// One search as a recipe describes it, and where its results go.
package struct Recipe: Sendable {
  /// Tells the members of a batch apart; empty for a recipe that is one search.
  package let name: String
  package let settings: SearchSettings
  /// The run folder.
  package let out: String
  /// Where the lasered checkpoint is written; nil to write none.
  package let checkpoint: String?

  /// A key of a recipe. Keys of one value vary in a batch by a list of values, keys of a set by a list of lists.
  enum Key: String, CaseIterable {
    case model, base, text
    case heldOut = "held_out"
    case convention, context, stride
    case expertsPerToken = "experts_per_token"
    case layers, experts, roles, ranks, strategy, objective, tolerance, confidence, fdr
    case exhaustive, screening, budget, control, out, checkpoint

    var isSet: Bool {
      switch self {
      case .text, .heldOut, .layers, .experts, .roles, .ranks: true
      default: false
      }
    }
  }

  /// - Parameters:
  ///   - values: What the recipe says of each key; one value for keys that are no sets.
  ///   - folder: What paths are relative to: empty, or ending in a slash.
  ///   - name: Of a member of a batch: its folder within the recipe's run folder.
  init(_ values: [Key: [String]], folder: String, name: String) throws {
    func one(_ key: Key) -> String? { values[key]?.first }
    func required<Value>(_ key: Key, _ value: Value?) throws -> Value {
      guard let value else { throw SearchError("\"\(key.rawValue)\" is missing") }
      return value
    }
    func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : folder + path }
    func parsed<Value>(_ key: Key, default fallback: Value, _ parse: (String) -> Value?) throws -> Value {
      guard let text = one(key) else { return fallback }
      guard let value = parse(text) else {
        throw SearchError("\"\(key.rawValue)\": \(text) is not a value it can have")
      }
      return value
    }
    func list(_ key: Key) throws -> IndexList {
      guard let values = values[key] else { return .all }
      let text = values.joined(separator: ",")
      guard let list = IndexList(text) else {
        throw SearchError("\"\(key.rawValue)\": \(text) is not a list of numbers")
      }
      return list
    }
    let context = try parsed(.context, default: 512) { Int($0) }
    let stride = try parsed(.stride, default: context / 2) { Int($0) }
    let strategy = try one(.strategy).map { try SearchSettings.strategy($0) } ?? .sweep
    settings = try SearchSettings(
      model: resolve(try required(.model, one(.model))), base: one(.base).map(resolve),
      text: try required(.text, values[.text]).map(resolve), heldOut: (values[.heldOut] ?? []).map(resolve),
      convention: parsed(.convention, default: .windows) { Convention(name: $0, stride: stride) }, context: context,
      expertsPerToken: parsed(.expertsPerToken, default: nil) { Int($0) as Int?? },
      selection: SiteSelection(
        layers: list(.layers), experts: list(.experts),
        roles: SearchSettings.roles(values[.roles]?.joined(separator: ",") ?? SearchSettings.defaultRoles)),
      ranks: SearchSettings.ranks(
        values[.ranks]?.joined(separator: ",") ?? SearchSettings.defaultRanks(strategy)),
      confidence: parsed(.confidence, default: SearchSettings.defaultConfidence) { Double($0) },
      falseDiscoveryRate: parsed(.fdr, default: SearchSettings.defaultFalseDiscoveryRate) { Double($0) },
      isExhaustive: parsed(.exhaustive, default: false) { Bool($0) },
      screening: one(.screening).map { try SearchSettings.precision($0) } ?? SearchSettings.defaultScreening,
      strategy: strategy,
      objective: Objective(
        name: one(.objective) ?? Objective.perplexity.name,
        tolerance: parsed(.tolerance, default: nil) { Double($0) as Double?? }),
      budget: one(.budget).map { try SearchSettings.budget($0) },
      isControl: parsed(.control, default: false) { Bool($0) })
    try settings.validate()
    self.name = name
    let out = resolve(try required(.out, one(.out)))
    self.out = name.isEmpty ? out : "\(out)/\(name)"
    if name.isEmpty {
      checkpoint = one(.checkpoint).map(resolve)
    } else {
      // Every member has its own, in its run folder.
      let last = one(.checkpoint)?.split(separator: "/").last
      checkpoint = last.map { [out = self.out] in "\(out)/\($0)" }
    }
  }
}
