internal import Checkpoints
internal import Evaluation
internal import Inference
internal import RankReduction
internal import Yams

/// A search as a YAML file describes it, and where its results go. Paths are relative to the file.
package struct Recipe: Sendable {
  package let settings: SearchSettings
  /// The run folder.
  package let out: String
  /// Where the lasered checkpoint is written; nil to write none.
  package let checkpoint: String?

  private static let keys = [
    "model", "base", "text", "held_out", "convention", "context", "stride", "layers", "experts", "roles", "ranks",
    "confidence", "fdr", "exhaustive", "out", "checkpoint",
  ]

  package init(file path: String) throws {
    let bytes = try MappedFile(path: path).withBytes { String(validating: $0, as: UTF8.self) }
    guard let text = bytes else { throw SearchError("\(path): not UTF-8 text") }
    let folder = path.contains("/") ? path[..<(path.lastIndex(of: "/") ?? path.startIndex)] + "/" : ""
    do {
      try self.init(yaml: text, folder: String(folder))
    } catch let error as SearchError {
      throw SearchError("\(path): \(error)")
    }
  }

  package init(yaml text: String, folder: String) throws {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw SearchError("not YAML: \(yamlProblem(error))") }
    guard let mapping = root?.mapping else { throw SearchError("a recipe is a list of \"key: value\" lines") }
    for key in mapping.keys {
      let name = key.string ?? "?"
      guard Self.keys.contains(name) else {
        throw SearchError("unknown key \"\(name)\"; a recipe has \(Self.keys.joined(separator: ", "))")
      }
    }
    func list(_ key: String) throws -> [String]? {
      guard let node = mapping[Node(key)] else { return nil }
      let nodes = node.sequence.map(Array.init) ?? [node]
      let values = nodes.compactMap { $0.scalar?.string }
      guard values.count == nodes.count, !values.isEmpty else {
        throw SearchError("\"\(key)\" takes a value or a list of values")
      }
      return values
    }
    func one(_ key: String) throws -> String? {
      guard let values = try list(key) else { return nil }
      guard values.count == 1 else { throw SearchError("\"\(key)\" takes one value") }
      return values[0]
    }
    func required<Value>(_ key: String, _ value: Value?) throws -> Value {
      guard let value else { throw SearchError("\"\(key)\" is missing") }
      return value
    }
    func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : folder + path }
    func parsed<Value>(_ key: String, default fallback: Value, _ parse: (String) -> Value?) throws -> Value {
      guard let text = try one(key) else { return fallback }
      guard let value = parse(text) else { throw SearchError("\"\(key)\": \(text) is not a value it can have") }
      return value
    }
    let context = try parsed("context", default: 512) { Int($0) }
    let stride = try parsed("stride", default: context / 2) { Int($0) }
    settings = try SearchSettings(
      model: resolve(try required("model", one("model"))), base: one("base").map(resolve),
      text: try required("text", list("text")).map(resolve),
      heldOut: (list("held_out") ?? []).map(resolve),
      convention: parsed("convention", default: .windows) { Convention(name: $0, stride: stride) }, context: context,
      selection: SiteSelection(
        layers: parsed("layers", default: .all) { IndexList($0) },
        experts: parsed("experts", default: .all) { IndexList($0) },
        roles: SearchSettings.roles(list("roles")?.joined(separator: ",") ?? SearchSettings.defaultRoles)),
      ranks: SearchSettings.ranks(list("ranks")?.joined(separator: ",") ?? SearchSettings.defaultRanks),
      confidence: parsed("confidence", default: SearchSettings.defaultConfidence) { Double($0) },
      falseDiscoveryRate: parsed("fdr", default: SearchSettings.defaultFalseDiscoveryRate) { Double($0) },
      isExhaustive: parsed("exhaustive", default: false) { Bool($0) })
    try settings.validate()
    out = resolve(try required("out", one("out")))
    checkpoint = try one("checkpoint").map(resolve)
  }
}
