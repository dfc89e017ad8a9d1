/// A part of a template, in the order of the text.
indirect enum TemplateStatement {
  case text(String)
  /// `{{ expression }}`
  case output(TemplateExpression)
  /// `{% if %}`, its `elif`s and its `else`.
  case branches([(condition: TemplateExpression, body: [TemplateStatement])], otherwise: [TemplateStatement])
  /// `{% for %}`
  case loop(TemplateLoop)
  /// `{% set target = value %}`
  case set(TemplateTarget, TemplateExpression)
  /// `{% set name %} … {% endset %}`
  case capture(TemplateTarget, [TemplateStatement])
  case macro(TemplateMacro)
  case breakLoop
  case continueLoop
}

struct TemplateLoop {
  let targets: TemplateTarget
  let sequence: TemplateExpression
  /// Elements that it is not true of are left out.
  let condition: TemplateExpression?
  let body: [TemplateStatement]
  /// Where there is no element.
  let otherwise: [TemplateStatement]
}

/// What a value is given to.
enum TemplateTarget {
  case name(String)
  /// A member of a namespace.
  case member(of: String, String)
  /// The parts of a sequence.
  case names([String])
}

struct TemplateMacro {
  let name: String
  let parameters: [(name: String, value: TemplateExpression?)]
  let body: [TemplateStatement]
}

struct TemplateArguments<Value> {
  var positional: [Value] = []
  var named: [(name: String, value: Value)] = []
}

/// An expression, and the line that it is from.
struct TemplateExpression {
  let kind: Kind
  let line: Int

  indirect enum Kind {
    case literal(TemplateValue)
    case name(String)
    case list([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case member(TemplateExpression, String)
    case item(TemplateExpression, TemplateExpression)
    case slice(
      TemplateExpression, from: TemplateExpression?, to: TemplateExpression?, step: TemplateExpression?)
    case call(TemplateExpression, TemplateArguments<TemplateExpression>)
    case filter(TemplateExpression, TemplateFilter, TemplateArguments<TemplateExpression>)
    case test(TemplateExpression, TemplateTest, [TemplateExpression], isNegated: Bool)
    /// What Jinja may have and this does not, or nobody: an error where the template comes to it, and not before. Jinja
    /// 3 does so too.
    case unsupported(String)
    case negation(TemplateExpression)
    case sign(TemplateExpression, isNegative: Bool)
    case arithmetic(TemplateExpression, String, TemplateExpression)
    case comparison(TemplateExpression, [(symbol: String, value: TemplateExpression)])
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case condition(TemplateExpression, then: TemplateExpression, otherwise: TemplateExpression?)
  }
}

/// Why a template cannot be used, or not on these messages.
package struct TemplateError: Error, CustomStringConvertible {
  /// In the template, from 1; nil for an error that is of no one line.
  package let line: Int?
  package let problem: String

  package var description: String { "chat template\(line.map { ", line \($0)" } ?? ""): \(problem)" }
}
