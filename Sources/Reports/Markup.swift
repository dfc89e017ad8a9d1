/// A piece of HTML or SVG as a value: it can only be written out escaped.
///
/// Names of elements and attributes, and style sheets, are constants of this program (`StaticString`), so that nothing
/// a file or a path says can become markup. What is written is HTML and well-formed XML at once: every element is
/// closed, every attribute quoted, and characters that XML cannot hold are replaced.
package indirect enum Markup: Sendable {
  case text(String)
  case element(StaticString, [Attribute], [Markup])
  case fragment([Markup])
  /// CSS, which HTML reads raw: it must hold neither `<` nor `&`.
  case styleSheet(StaticString)

  package struct Attribute: Sendable {
    let name: StaticString
    let value: String
  }

  /// What an attribute can be given: text, or a number in the one form that CSS and SVG read.
  package struct Value: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, Sendable {
    let text: String

    package init(stringLiteral text: String) { self.text = text }
    package init(integerLiteral value: Int) { text = "\(value)" }
    package init(_ text: String) { self.text = text }

    static func number(_ value: Double) -> Value { Value(Numbers.coordinate(value)) }
    static func percent(_ share: Double) -> Value { Value(Numbers.coordinate(100 * share) + "%") }
  }
}

extension Markup: ExpressibleByStringInterpolation, ExpressibleByArrayLiteral {
  package init(stringLiteral text: String) { self = .text(text) }
  package init(arrayLiteral children: Markup...) { self = .fragment(children) }
}

/// An attribute without a value is left out.
func element(
  _ name: StaticString, _ attributes: KeyValuePairs<StaticString, Markup.Value> = [:], _ children: [Markup]
) -> Markup {
  let given = attributes.filter { !$0.value.text.isEmpty }
  return .element(name, given.map { Markup.Attribute(name: $0.key, value: $0.value.text) }, children)
}

func element(
  _ name: StaticString, _ attributes: KeyValuePairs<StaticString, Markup.Value> = [:], _ children: Markup...
) -> Markup {
  element(name, attributes, children)
}

// MARK: - Writing

extension Markup {
  /// A whole HTML document whose root this is.
  package var document: String { "<!DOCTYPE html>\n" + source + "\n" }

  package var source: String {
    var result = ""
    write(to: &result)
    return result
  }

  private func write(to result: inout String) {
    switch self {
    case .text(let text): Self.escape(text, to: &result)
    case .fragment(let children): for child in children { child.write(to: &result) }
    case .styleSheet(let css): result += css.description
    case .element(let name, let attributes, let children):
      let name = name.description
      result += "<" + name
      for attribute in attributes {
        result += " \(attribute.name)=\""
        Self.escape(attribute.value, to: &result)
        result += "\""
      }
      if children.isEmpty, Self.closesItself.contains(name) {
        result += "/>"
      } else {
        result += ">"
        for child in children { child.write(to: &result) }
        result += "</\(name)>"
      }
      if Self.endsLine.contains(name) { result += "\n" }
    }
  }

  /// HTML's void elements, and SVG's shapes, which HTML lets close themselves. Anything else needs its end tag.
  private static let closesItself: Set<String> = ["meta", "br", "hr", "rect", "line", "circle", "path", "polyline"]

  private static let endsLine: Set<String> = [
    "meta", "title", "style", "head", "header", "section", "figure", "h1", "h2", "p", "tr", "svg", "div", "table",
  ]

  private static func escape(_ text: String, to result: inout String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.unicodeScalars.append(isAllowed(scalar) ? scalar : "\u{FFFD}")
      }
    }
  }

  /// Controls but for tab and line feed, and noncharacters, have no place in XML or HTML.
  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: true
    case 0x00...0x1F, 0x7F...0x9F, 0xFDD0...0xFDEF: false
    default: scalar.value & 0xFFFE != 0xFFFE
    }
  }
}
