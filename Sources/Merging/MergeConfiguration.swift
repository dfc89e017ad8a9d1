package import Checkpoints
package import Models
package import Tensors
internal import Wording
internal import Yams

/// A merge as a YAML file describes it, with the keys of mergekit-moe. Paths are relative to the file.
package struct MergeConfiguration: Sendable {
  package struct Parent: Sendable {
    /// As the file has it.
    package let name: String
    package let folder: String
    /// Whether the folder is not the name's, but lies in the Hub's cache under this id.
    package var hubName: HubName? { HubName(cachedAt: folder) }

    /// A name that is no path from the folder may be the id of a model in the Hub's cache.
    init(_ name: String, relativeTo folder: String) {
      self.name = name
      self.folder =
        (try? modelPath(name, relativeTo: folder)) ?? (name.hasPrefix("/") ? name : folder + name)
    }
  }

  package struct Expert: Sendable {
    package let parent: Parent
    package let positivePrompts: [String]
    package let negativePrompts: [String]
    /// Standard deviation of the normal noise added to its matrices; nil for none.
    package let noiseScale: Double?
    /// What its w2 is multiplied by; nil for 1.
    package let residualScale: Double?
  }

  package enum GateMode: String, Sendable, CaseIterable {
    case hidden
    case cheapEmbed = "cheap_embed"
    case random
    case uniformRandom = "uniform_random"

    package var needsPrompts: Bool { self == .hidden || self == .cheapEmbed }
  }

  package let base: Parent
  /// Those that the router chooses from.
  package let experts: [Expert]
  /// The one that every token goes to, where the mixture has one.
  package let shared: Expert?
  /// What the file asks for; nil if it leaves that to the parents.
  package let family: MergedMixture.Family?
  package let gateMode: GateMode
  /// Nil for the base's.
  package let type: ElementType?
  package let expertsPerToken: Int
  package let seed: UInt64
  /// The file's, for the model card.
  package let text: String

  package init(file path: String, seed: UInt64? = nil) throws {
    let bytes = try MappedFile(path: path).withBytes { String(validating: $0, as: UTF8.self) }
    guard let text = bytes else { throw InputError("\(path): not UTF-8 text") }
    let folder = path.contains("/") ? path[..<(path.lastIndex(of: "/") ?? path.startIndex)] + "/" : ""
    do {
      try self.init(yaml: text, folder: String(folder), seed: seed)
    } catch let error as InputError {
      throw InputError("\(path): \(error)")
    }
  }

  /// - Parameters:
  ///   - folder: Where relative paths begin; empty or ending in a slash.
  ///   - seed: Instead of the file's.
  package init(yaml text: String, folder: String, seed: UInt64? = nil) throws {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw InputError("not YAML: \(yamlProblem(error))") }
    guard let root else { throw InputError("the file is empty") }
    let section = try Section(root, place: "")
    try section.allowOnly(
      [
        "base_model", "gate_mode", "dtype", "experts_per_token", "experts", "shared_experts", "seed", "architecture",
      ], unsupported: Self.unsupportedKeys)
    family = try section.choice(
      "architecture", { MergedMixture.Family(named: $0) }, MergedMixture.Family.names)
    func parent(_ name: String) -> Parent { Parent(name, relativeTo: folder) }
    base = parent(try section.required("base_model", section.string("base_model")))
    gateMode = try section.choice("gate_mode", GateMode.init, GateMode.allCases.map(\.rawValue)) ?? .hidden
    type = try section.choice(
      "dtype", { ElementType(configurationName: $0) }, ElementType.allCases.compactMap(\.configurationName))
    expertsPerToken = try section.number("experts_per_token", { Int($0) }, where: { $0 >= 1 }, "1 or more") ?? 2
    let fileSeed = try section.number("seed", { UInt64($0) }, where: { _ in true }, "a whole number of at least 0")
    self.seed = seed ?? fileSeed ?? 0
    self.text = text

    func expert(_ entry: Section) throws(InputError) -> Expert {
      try entry.allowOnly(["source_model", "positive_prompts", "negative_prompts", "noise_scale", "residual_scale"])
      return Expert(
        parent: parent(try entry.required("source_model", entry.string("source_model"))),
        positivePrompts: try entry.prompts("positive_prompts"), negativePrompts: try entry.prompts("negative_prompts"),
        noiseScale: try entry.number("noise_scale", { Double($0) }, where: { $0 >= 0 && $0.isFinite }, "0 or more"),
        residualScale: try entry.number("residual_scale", { Double($0) }, where: \.isFinite, "a number"))
    }
    let entries = try section.required("experts", section.sections("experts"))
    guard !entries.isEmpty else { throw InputError("\"experts\" is empty; list the models that become experts") }
    experts = try entries.map(expert)
    let sharedEntries = try section.sections("shared_experts") ?? []
    guard sharedEntries.count <= 1 else {
      throw InputError("\"shared_experts\" lists \(sharedEntries.count); a mixture has at most one shared expert")
    }
    shared = try sharedEntries.first.map(expert)
    guard expertsPerToken <= experts.count else {
      throw InputError("\"experts_per_token\" is \(expertsPerToken) but there are \(experts.count) experts")
    }
    try refusePromptsThatSayNothing()
  }

  private func refusePromptsThatSayNothing() throws(InputError) {
    guard gateMode.needsPrompts else { return }
    for (number, expert) in experts.enumerated() where expert.positivePrompts.isEmpty {
      throw InputError("\(Self.place(number)) has no \"positive_prompts\", which gate_mode \(gateMode.rawValue) needs")
    }
    for (number, expert) in experts.enumerated() {
      if let other = experts[..<number].firstIndex(where: {
        $0.positivePrompts == expert.positivePrompts && $0.negativePrompts == expert.negativePrompts
      }) {
        throw InputError(
          "\(Self.place(other)) and \(Self.place(number)) have the same prompts, so that no router can tell them apart")
      }
    }
  }

  /// All that feed-forward layers are taken from: the experts, and after them the shared one.
  var contributors: [Expert] { experts + (shared.map { [$0] } ?? []) }

  /// As messages name a contributor.
  func place(_ number: Int) -> String { number < experts.count ? Self.place(number) : "shared_experts[0]" }

  private static func place(_ expert: Int) -> String { "experts[\(expert)]" }

  /// What mergekit has and this program does not.
  private static let unsupportedKeys = [
    "tokenizer_source": "the base's tokenizer is taken", "tokenizer": "the base's tokenizer is taken",
    "chat_template": "the base's is taken", "out_dtype": "use dtype",
    "merge_method": "this makes mixtures of experts only", "slices": "this makes mixtures of experts only",
    "models": "list them as experts", "parameters": "this makes mixtures of experts only",
  ]
}

/// A mapping of the file and where it stands in it, read key by key.
private struct Section {
  private let mapping: Node.Mapping
  private let place: String

  init(_ node: Node, place: String) throws(InputError) {
    guard let mapping = node.mapping else {
      throw InputError(place.isEmpty ? "it should be a list of \"key: value\" lines" : "\(place) is not a mapping")
    }
    self.mapping = mapping
    self.place = place
  }

  private func named(_ key: String) -> String { place.isEmpty ? "\"\(key)\"" : "\(place): \"\(key)\"" }

  func allowOnly(_ keys: [String], unsupported: [String: String] = [:]) throws(InputError) {
    for key in mapping.keys.map({ $0.string ?? "?" }) where !keys.contains(key) {
      if let instead = unsupported[key] { throw InputError("\(named(key)) is not supported: \(instead)") }
      throw InputError("unknown key \(named(key)); known are \(keys.joined(separator: ", "))")
    }
  }

  func required<Value>(_ key: String, _ value: Value?) throws(InputError) -> Value {
    guard let value else { throw InputError("\(named(key)) is missing") }
    return value
  }

  /// The value of a key; nil if it is not there or null.
  private func node(_ key: String) -> Node? {
    guard let node = mapping[Node(key)] else { return nil }
    if let scalar = node.scalar, scalar.style == .plain, ["", "~", "null"].contains(scalar.string) { return nil }
    return node
  }

  func string(_ key: String) throws(InputError) -> String? {
    guard let node = node(key) else { return nil }
    guard let text = node.scalar?.string, !text.isEmpty else { throw InputError("\(named(key)) takes one value") }
    return text
  }

  func choice<Value>(_ key: String, _ make: (String) -> Value?, _ names: [String]) throws(InputError) -> Value? {
    guard let text = try string(key) else { return nil }
    guard let value = make(text) else {
      throw InputError("\(named(key)) is \(text); it can be \(names.joined(separator: ", "))")
    }
    return value
  }

  func number<Value>(
    _ key: String, _ make: (String) -> Value?, where isPossible: (Value) -> Bool, _ range: String
  ) throws(InputError) -> Value? {
    guard let text = try string(key) else { return nil }
    guard let value = make(text), isPossible(value) else {
      throw InputError("\(named(key)) is \(text); it should be \(range)")
    }
    return value
  }

  func prompts(_ key: String) throws(InputError) -> [String] {
    guard let node = node(key) else { return [] }
    guard let sequence = node.sequence else { throw InputError("\(named(key)) is not a list of prompts") }
    var result: [String] = []
    for node in sequence {
      guard let text = node.scalar?.string else { throw InputError("\(named(key)) holds something that is no text") }
      guard text.contains(where: { !$0.isWhitespace }) else { throw InputError("\(named(key)) holds an empty prompt") }
      result.append(text)
    }
    return result
  }

  func sections(_ key: String) throws(InputError) -> [Section]? {
    guard let node = node(key) else { return nil }
    guard let sequence = node.sequence else { throw InputError("\(named(key)) is not a list") }
    var result: [Section] = []
    for (number, node) in sequence.enumerated() { result.append(try Section(node, place: "\(key)[\(number)]")) }
    return result
  }
}
