internal import Checkpoints
internal import FoundationEssentials
internal import Wording

/// One search as a recipe describes it, and where its results go.
package struct Recipe: Sendable {
  /// Tells the members of a batch apart; empty for a recipe that is one search.
  package let name: String
  package let settings: SearchSettings
  /// The run folder.
  package let out: String
  /// What is made of the result beside the run folder.
  package let products: Products

  /// Files that a recipe asks for, each nil to write none.
  package struct Products: Sendable, Equatable {
    /// The lasered checkpoint: a folder, or a file where the model is one.
    package var checkpoint: String?
    /// Whether the checkpoint stores a reduced matrix as two factors where these are smaller.
    package var isFactored = false
    /// An adapter for PEFT with what the reductions change.
    package var adapter: String?
    /// Whether the adapter makes the base what the model becomes, instead of the model.
    package var isAdapterForBase = false

    /// What the model is called on the Hugging Face Hub, for model cards.
    package var name: String?

    package init() {}
  }

  /// A key of a recipe: a setting of the search, or one that says where results go.
  enum Key: Hashable {
    case setting(String)
    case out, checkpoint, factored, adapter
    case adapterForBase
    case name

    private static let others: [(key: Key, name: String)] = [
      (.out, "out"), (.checkpoint, "checkpoint"), (.factored, "factored"), (.adapter, "adapter"),
      (.adapterForBase, "adapter_for_base"), (.name, "name"),
    ]

    static var names: [String] { Setting.all.map(\.key) + others.map(\.name) }

    init?(name: String) {
      if let other = Self.others.first(where: { $0.name == name }) {
        self = other.key
      } else if let setting = Setting.all.first(where: { $0.key == name }) {
        self = .setting(setting.key)
      } else {
        return nil
      }
    }

    var name: String {
      if case .setting(let key) = self { return key }
      return Self.others.first { $0.key == self }?.name ?? ""
    }

    /// Whether its value is a set: such keys vary in a batch by a list of lists, others by a list of values.
    var isSet: Bool {
      guard case .setting(let key) = self, let setting = Setting.all.first(where: { $0.key == key }) else {
        return false
      }
      switch setting.shape {
      case .set, .files: return true
      case .value, .flag: return false
      }
    }

    /// Whether it may vary within a batch.
    var varies: Bool { if case .setting = self { true } else { false } }
  }

  /// - Parameters:
  ///   - values: What the recipe says of each key; one value for keys that are no sets.
  ///   - overrides: Values instead of the recipe's, with paths as they are.
  ///   - folder: What the recipe's paths are relative to: empty, or ending in a slash.
  ///   - name: Of a member of a batch: its folder within the recipe's run folder.
  /// - Throws: `InputError` that names the key.
  init(
    _ values: [Key: [String]], overrides: [Key: [String]] = [:], folder: String, name: String
  ) throws(InputError) {
    func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : folder + path }
    // An id of a model in the Hub's cache stays one, unless there is such a folder.
    func resolveModel(_ name: String) -> String {
      HubName(name) != nil && !FileManager.default.fileExists(atPath: resolve(name)) ? name : resolve(name)
    }
    var texts: [String: [String]] = [:]
    for setting in Setting.all {
      let resolved: (String) -> String =
        switch setting.completion {
        case .models: resolveModel
        case .files: resolve
        case .nothing, .words: { $0 }
        }
      let key = Key.setting(setting.key)
      texts[setting.key] = overrides[key] ?? values[key].map { $0.map(resolved) }
    }
    settings = try SearchSettings(texts) { "\"\($0.key)\"" }
    try settings.validate()
    func flag(_ key: Key) throws(InputError) -> Bool {
      guard let text = (overrides[key] ?? values[key])?.first else { return false }
      guard let value = Bool(text) else { throw InputError("\"\(key.name)\": \"\(text)\" is neither true nor false") }
      return value
    }
    self.name = name
    guard let out = overrides[.out]?.first ?? values[.out]?.first.map(resolve) else {
      throw InputError("\"out\" is missing")
    }
    let runFolder = name.isEmpty ? out : "\(out)/\(name)"
    self.out = runFolder
    func product(_ key: Key) -> String? {
      guard let path = (overrides[key] ?? values[key])?.first else { return nil }
      // Every member of a batch has its own, in its run folder.
      return name.isEmpty
        ? overrides[key]?.first ?? resolve(path) : path.split(separator: "/").last.map { "\(runFolder)/\($0)" }
    }
    var products = Products()
    products.checkpoint = product(.checkpoint)
    products.isFactored = try flag(.factored)
    products.adapter = product(.adapter)
    products.isAdapterForBase = try flag(.adapterForBase)
    if products.isFactored, products.checkpoint == nil { throw InputError("\"factored\" goes with \"checkpoint\"") }
    if products.isAdapterForBase, products.adapter == nil {
      throw InputError("\"adapter_for_base\" goes with \"adapter\"")
    }
    products.name = (overrides[.name] ?? values[.name])?.first
    if let name = products.name, HubName(name).map({ $0.revision != nil }) ?? true {
      throw InputError("\"name\" takes a name on the Hugging Face Hub, owner/name; \"\(name)\" is none")
    }
    self.products = products
  }
}
