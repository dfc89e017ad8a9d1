internal import Checkpoints

/// What an expression of a template is, in Python's types.
enum TemplateValue {
  /// A name or a member that is not there: false, empty, and an error for whatever looks into it.
  case undefined(String)
  case none
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  /// A list or a tuple, which print alike here.
  case list([TemplateValue])
  case dictionary(TemplateDictionary)
  /// The one thing that a template can change: see Jinja's `namespace`.
  case namespace(TemplateNamespace)
  case macro(TemplateMacro)

  init(_ json: JSON) {
    self =
      switch json {
      case .null: .none
      case .boolean(let value): .boolean(value)
      case .integer(let value): .integer(value)
      case .number(let value): .number(value)
      case .string(let value): .string(value)
      case .array(let elements): .list(elements.map(TemplateValue.init))
      case .object(let members): .dictionary(TemplateDictionary(members.map { ($0.key, TemplateValue($0.value)) }))
      }
  }
}

/// Members in their order.
struct TemplateDictionary {
  private(set) var members: [(key: String, value: TemplateValue)] = []

  /// Of members with the same key the last one counts.
  init(_ members: [(String, TemplateValue)] = []) { for (key, value) in members { self[key] = value } }

  subscript(key: String) -> TemplateValue? {
    get { members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value }
    set {
      guard let newValue else { return }
      if let index = members.firstIndex(where: { $0.key.utf8.elementsEqual(key.utf8) }) {
        members[index].value = newValue
      } else {
        members.append((key, newValue))
      }
    }
  }
}

final class TemplateNamespace {
  var members: TemplateDictionary
  init(_ members: TemplateDictionary) { self.members = members }
}

extension TemplateValue {
  var typeName: String {
    switch self {
    case .undefined: "undefined"
    case .none: "none"
    case .boolean: "a boolean"
    case .integer, .number: "a number"
    case .string: "a text"
    case .list: "a list"
    case .dictionary: "a mapping"
    case .namespace: "a namespace"
    case .macro: "a macro"
    }
  }

  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .boolean(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let value): !value.isEmpty
    case .list(let values): !values.isEmpty
    case .dictionary(let dictionary): !dictionary.members.isEmpty
    case .namespace, .macro: true
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  var string: String? { if case .string(let value) = self { value } else { nil } }

  /// Booleans are the numbers 0 and 1, as in Python.
  var integer: Int? {
    switch self {
    case .integer(let value): value
    case .boolean(let value): value ? 1 : 0
    default: nil
    }
  }

  var number: Double? { if case .number(let value) = self { value } else { integer.map(Double.init) } }

  /// What a loop goes over; nil for what is no sequence.
  var elements: [TemplateValue]? {
    switch self {
    case .undefined: []
    case .string(let value): value.unicodeScalars.map { .string(String($0)) }
    case .list(let values): values
    case .dictionary(let dictionary): dictionary.members.map { .string($0.key) }
    default: nil
    }
  }

  /// Python's `==`.
  func equals(_ other: TemplateValue) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): true
    case (.string(let one), .string(let another)): one.utf8.elementsEqual(another.utf8)
    case (.list(let one), .list(let another)): one.elementsEqual(another) { $0.equals($1) }
    case (.dictionary(let one), .dictionary(let another)):
      one.members.count == another.members.count
        && one.members.allSatisfy { member in another[member.key].map { member.value.equals($0) } ?? false }
    case (.namespace(let one), .namespace(let another)): one === another
    default:
      if let one = integer, let another = other.integer {
        one == another
      } else if let one = number, let another = other.number {
        one == another
      } else {
        false
      }
    }
  }

  /// Whether it stands before another in order; nil where the two have none.
  func precedes(_ other: TemplateValue) -> Bool? {
    switch (self, other) {
    case (.string(let one), .string(let another)):
      return one.unicodeScalars.lexicographicallyPrecedes(another.unicodeScalars)
    case (.list(let one), .list(let another)):
      for (left, right) in zip(one, another) where !left.equals(right) { return left.precedes(right) }
      return one.count < another.count
    default:
      if let one = integer, let another = other.integer { return one < another }
      guard let one = number, let another = other.number else { return nil }
      return one < another
    }
  }
}

// MARK: - As text

extension TemplateValue {
  /// What `{{ … }}` prints: Python's `str`.
  var text: String {
    switch self {
    case .undefined: ""
    case .string(let value): value
    default: representation
    }
  }

  /// Python's `repr`.
  var representation: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .boolean(let value): value ? "True" : "False"
    case .integer(let value): "\(value)"
    case .number(let value): value.isNaN ? "nan" : value.isInfinite ? (value < 0 ? "-inf" : "inf") : "\(value)"
    case .string(let value): Self.quoted(value)
    case .list(let values): "[" + values.map(\.representation).joined(separator: ", ") + "]"
    case .dictionary(let dictionary):
      "{" + dictionary.members.map { Self.quoted($0.key) + ": " + $0.value.representation }.joined(separator: ", ")
        + "}"
    case .namespace: "<Namespace>"
    case .macro(let macro): "<Macro '\(macro.name)'>"
    }
  }

  private static func quoted(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let mark: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
    var result = String(mark)
    for scalar in scalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case mark: result += "\\" + String(mark)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + String(mark)
  }

  /// Python's `json.dumps(…, ensure_ascii=False)`; nil for what JSON cannot say.
  ///
  /// - Parameters:
  ///   - indentation: Spaces a level; nil for one line.
  ///   - sortsKeys: Whether members are put in the order of their keys.
  func json(indentation: Int? = nil, sortsKeys: Bool = false, level: Int = 0) -> String? {
    func bracketed(_ open: String, _ parts: [String?], _ close: String) -> String? {
      let known = parts.compactMap(\.self)
      guard known.count == parts.count else { return nil }
      guard let indentation, !known.isEmpty else { return open + known.joined(separator: ", ") + close }
      let space = "\n" + String(repeating: " ", count: indentation * level)
      let inner = space + String(repeating: " ", count: indentation)
      return open + known.map { inner + $0 }.joined(separator: ",") + space + close
    }
    switch self {
    case .none: return "null"
    case .boolean(let value): return value ? "true" : "false"
    case .integer, .number: return representation
    case .string(let value): return JSON.string(value).compact
    case .list(let values):
      return bracketed(
        "[", values.map { $0.json(indentation: indentation, sortsKeys: sortsKeys, level: level + 1) }, "]")
    case .dictionary(let dictionary):
      var members = dictionary.members
      if sortsKeys { members.sort { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) } }
      return bracketed(
        "{",
        members.map { member in
          member.value.json(indentation: indentation, sortsKeys: sortsKeys, level: level + 1).map {
            JSON.string(member.key).compact + ": " + $0
          }
        }, "}")
    case .undefined, .namespace, .macro: return nil
    }
  }
}
