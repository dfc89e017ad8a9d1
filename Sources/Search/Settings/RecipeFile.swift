internal import Checkpoints
internal import RankReduction
internal import Wording
internal import Yams

/// A recipe in YAML: one search, or a batch of them where keys have alternatives. Paths are relative to the file.
package struct RecipeFile: Sendable {
  /// One for each combination of alternatives, in the order of the keys in the file, the last varying fastest.
  package let members: [Recipe]
  /// Where the results of all members go; each has a folder in it, if there are several.
  package let out: String

  private static let largestBatch = 1000

  /// - Parameter overrides: Values by key that take the place of the recipe's. Their paths are relative to the current
  ///   folder.
  package init(file path: String, overrides: [String: [String]] = [:]) throws {
    let bytes = try MappedFile(path: path).withBytes { String(validating: $0, as: UTF8.self) }
    guard let text = bytes else { throw InputError("\(path): not UTF-8 text") }
    let folder = path.contains("/") ? path[..<(path.lastIndex(of: "/") ?? path.startIndex)] + "/" : ""
    do {
      try self.init(yaml: text, folder: String(folder), overrides: overrides)
    } catch let error as InputError {
      throw InputError("\(path): \(error)")
    }
  }

  package init(yaml text: String, folder: String, overrides: [String: [String]] = [:]) throws {
    var given: [Recipe.Key: [String]] = [:]
    for (name, values) in overrides {
      guard let key = Recipe.Key(name: name) else {
        throw InputError(unknownWord(name, what: "a key of a recipe", known: Recipe.Key.names))
      }
      given[key] = values
    }
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw InputError("not YAML: \(yamlProblem(error))") }
    guard let mapping = root?.mapping else { throw InputError("a recipe is a list of \"key: value\" lines") }
    var combinations: [[Recipe.Key: [String]]] = [[:]]
    var varying: [Recipe.Key] = []
    for (keyNode, value) in mapping {
      let name = keyNode.string ?? "?"
      guard let key = Recipe.Key(name: name) else {
        throw InputError(unknownWord(name, what: "a key of a recipe", known: Recipe.Key.names))
      }
      guard given[key] == nil else { continue }
      let alternatives = try Self.alternatives(key, value)
      if alternatives.count > 1 { varying.append(key) }
      combinations = combinations.flatMap { combination in
        alternatives.map { combination.merging([key: $0]) { _, new in new } }
      }
      guard combinations.count <= Self.largestBatch else {
        throw InputError("a batch of more than \(Self.largestBatch) searches; divide the recipe")
      }
    }
    var names: [String: Int] = [:]
    members = try combinations.map { combination in
      var name = varying.map { Self.shortName($0, combination[$0] ?? []) }.joined(separator: "_")
      let number = names[name, default: 0] + 1
      names[name] = number
      if number > 1 { name += ".\(number)" }
      return try Recipe(combination, overrides: given, folder: folder, name: name)
    }
    let out = combinations.first?[.out]?.first ?? ""
    self.out = given[.out]?.first ?? (out.hasPrefix("/") ? out : folder + out)
  }

  /// The values that a key takes in turn.
  private static func alternatives(_ key: Recipe.Key, _ node: Node) throws(InputError) -> [[String]] {
    func scalars(_ nodes: [Node]) throws(InputError) -> [String] {
      let values = nodes.compactMap { $0.scalar?.string }
      guard values.count == nodes.count, !values.isEmpty else {
        throw InputError("\"\(key.name)\" takes a value or a list of values")
      }
      return values
    }
    guard let sequence = node.sequence else { return [try scalars([node])] }
    let nodes = Array(sequence)
    let result: [[String]]
    if !key.isSet {
      result = try scalars(nodes).map { [$0] }
    } else if nodes.contains(where: { $0.sequence != nil }) {
      var sets: [[String]] = []
      for node in nodes { sets.append(try scalars(node.sequence.map(Array.init) ?? [node])) }
      result = sets
    } else {
      result = [try scalars(nodes)]
    }
    guard result.count == 1 || key.varies else {
      throw InputError("\"\(key.name)\" takes one value")
    }
    guard Set(result).count == result.count else { throw InputError("\"\(key.name)\" has an alternative twice") }
    return result
  }

  /// A value as a part of a folder's name.
  private static func shortName(_ key: Recipe.Key, _ values: [String]) -> String {
    let parts = values.map { value in value.split(separator: "/").last.map(String.init) ?? value }
    let text = parts.joined(separator: "+")
    let kept = text.map { character in
      character.isASCII && (character.isLetter || character.isNumber || "+-.".contains(character)) ? character : "-"
    }
    let name = String(kept.prefix(60))
    return name.allSatisfy { $0 == "." } ? "\(key.name)-\(name.count)" : name
  }
}
