internal import RankReduction
internal import Wording

/// One key of a search: how it is named, read and written wherever people or files spell it: the command line, recipes,
/// journals and reports.
package struct Setting: Sendable {
  /// How many values a key takes, and how they are written.
  package enum Shape: Sendable {
    /// One value. In a recipe, a list of them varies in a batch.
    case value
    /// One text on the command line, its parts between commas; in a recipe also a list.
    case set
    /// One or more paths.
    case files
    /// Given or not.
    case flag
  }

  /// What a shell can complete.
  package enum Completion: Sendable {
    case nothing
    case files
    /// Folders and files, and ids in the Hub's cache: see `modelPath`.
    case models
    case words([String])
  }

  /// As on the command line: "held-out".
  package let name: String
  package let shape: Shape
  /// For people: "held-out text".
  package let label: String
  /// One line of help.
  package let help: String
  /// What else the help says.
  package let discussion: String
  /// What stands for the value in the help.
  package let valueName: String
  package let completion: Completion
  /// Whether a search cannot be without it.
  package let isRequired: Bool
  /// Whether the command line has it without its name.
  package let isPositional: Bool
  /// - Throws: `InputError` for what is no value of the key; says what is wrong with it, but not the key.
  let read: @Sendable ([String], inout SearchSettings) throws(InputError) -> Void
  /// Empty where nothing was asked for; a flag that is set writes "true".
  package let write: @Sendable (SearchSettings) -> [String]

  init(
    _ name: String, _ shape: Shape = .value, label: String? = nil, help: String, discussion: String = "",
    valueName: String = "", completion: Completion = .nothing, isRequired: Bool = false, isPositional: Bool = false,
    read: @escaping @Sendable ([String], inout SearchSettings) throws(InputError) -> Void,
    write: @escaping @Sendable (SearchSettings) -> [String]
  ) {
    (self.name, self.shape, self.label) = (name, shape, label ?? name)
    (self.help, self.discussion, self.valueName) = (help, discussion, valueName)
    (self.completion, self.isRequired, self.isPositional) = (completion, isRequired, isPositional)
    (self.read, self.write) = (read, write)
  }

  /// As in recipes and journals: "held_out".
  package var key: String { name.replacing("-", with: "_") }

  /// Whether a search can go on with another value, with what it has measured so far. Others change what is measured.
  package var canChange: Bool {
    [
      "budget", "ranks", "layers", "experts", "roles", "held-out", "held-out-questions", "filter", "damping", "rounds",
      "confidence", "fdr",
    ].contains(name)
  }

  /// Whether its values are paths, which recipes give relative to themselves.
  package var isPath: Bool {
    switch completion {
    case .files, .models: true
    case .nothing, .words: false
    }
  }

  /// The same key where it may be left out, and has its name.
  package var asOption: Setting {
    Setting(
      name, shape, label: label, help: help, discussion: discussion, valueName: valueName, completion: completion,
      read: read, write: write)
  }

  package static func named(_ name: String) -> Setting? { all.first { $0.name == name } }
}

// MARK: - Making rows

extension Setting {
  /// A key with one value that is read by a function.
  static func value<Value: Sendable>(
    _ name: String, _ path: any WritableKeyPath<SearchSettings, Value> & Sendable, label: String? = nil, help: String,
    discussion: String = "", valueName: String = "", completion: Completion = .nothing, shape: Shape = .value,
    parse: @escaping @Sendable (String) throws(InputError) -> Value, print: @escaping @Sendable (Value) -> String?
  ) -> Setting {
    Setting(
      name, shape, label: label, help: help, discussion: discussion, valueName: valueName, completion: completion,
      read: { (values, settings) throws(InputError) in
        settings[keyPath: path] = try parse(values.joined(separator: ","))
      },
      write: { settings in print(settings[keyPath: path]).map { [$0] } ?? [] })
  }

  static func flag(
    _ name: String, _ path: any WritableKeyPath<SearchSettings, Bool> & Sendable, label: String? = nil, help: String
  ) -> Setting {
    Setting(
      name, .flag, label: label, help: help,
      read: { (values, settings) throws(InputError) in
        guard let value = Bool(values.joined(separator: ",")) else {
          throw InputError("\"\(values.joined(separator: ","))\" is neither true nor false")
        }
        settings[keyPath: path] = value
      },
      write: { $0[keyPath: path] ? ["true"] : [] })
  }

  /// A word out of a list.
  static func word(_ text: String, what: String, known: [String]) throws(InputError) -> String {
    guard known.contains(text) else { throw InputError(unknownWord(text, what: what, known: known)) }
    return text
  }

  static func integer(_ text: String) throws(InputError) -> Int {
    guard let number = Int(text) else { throw InputError("\"\(text)\" is not a whole number") }
    return number
  }

  static func number(_ text: String) throws(InputError) -> Double {
    guard let number = Double(text), number.isFinite else { throw InputError("\"\(text)\" is not a number") }
    return number
  }

  static func indexList(_ text: String) throws(InputError) -> IndexList {
    if text.hasPrefix("-") {
      throw InputError("\"\(text)\": numbers count from 0, none is negative; give a list such as 0-5,7, or \"all\"")
    }
    guard let list = IndexList(text) else {
      throw InputError("\"\(text)\" is not a list of numbers such as 0-5,7 nor \"all\"")
    }
    return list
  }
}
