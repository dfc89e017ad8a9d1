extension JSON {
  /// On one line, without spaces.
  package var compact: String { text(indentation: nil) }

  /// One member or element a line, two spaces a level: as Hugging Face writes configurations.
  package var indented: String { text(indentation: 0) }

  private func text(indentation: Int?) -> String {
    switch self {
    case .null: "null"
    case .boolean(let value): value ? "true" : "false"
    case .integer(let value): "\(value)"
    case .number(let value): Self.text(value)
    case .string(let value): Self.quoted(value)
    case .array(let elements):
      Self.bracketed("[", elements.map { $0.text(indentation: indentation.map { $0 + 1 }) }, "]", indentation)
    case .object(let members):
      Self.bracketed(
        "{",
        members.map { member in
          Self.quoted(member.key) + (indentation == nil ? ":" : ": ")
            + member.value.text(indentation: indentation.map { $0 + 1 })
        }, "}", indentation)
    }
  }

  /// The shortest text that reads as the same number. JSON has no infinity: it becomes null.
  private static func text(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }

  private static func bracketed(_ open: String, _ parts: [String], _ close: String, _ indentation: Int?) -> String {
    guard let indentation, !parts.isEmpty else { return open + parts.joined(separator: ",") + close }
    let space = "\n" + String(repeating: "  ", count: indentation)
    return open + parts.map { space + "  " + $0 }.joined(separator: ",") + space + close
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
