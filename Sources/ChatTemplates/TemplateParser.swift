/// Reads a template's statements. What Jinja has and chat templates do not use is refused by name.
struct TemplateParser {
  private let parts: [TemplateLexer.Part]
  private var position = 0
  private var depth = 0

  /// How deep statements may lie in each other.
  private static let maximumDepth = 64

  static func statements(of template: String) throws(TemplateError) -> [TemplateStatement] {
    var parser = TemplateParser(parts: try TemplateLexer.parts(of: template))
    let (statements, end) = try parser.body(until: [])
    if let end { throw TemplateError(line: end.line, problem: "'\(end.word)' ends nothing") }
    return statements
  }

  private init(parts: [TemplateLexer.Part]) { self.parts = parts }

  /// A statement that ends a body, and what stands behind its word.
  private struct End {
    let word: String
    let tokens: [TemplateLexer.Token]
    let line: Int
  }

  /// Words that end or divide the statements that others begin.
  private static let ends: Set<String> = [
    "elif", "else", "endif", "endfor", "endset", "endmacro", "endgeneration", "endfilter", "endcall", "endblock",
    "endwith",
  ]

  private mutating func body(until ends: Set<String>) throws(TemplateError) -> ([TemplateStatement], End?) {
    var statements: [TemplateStatement] = []
    depth += 1
    defer { depth -= 1 }
    while position < parts.count {
      let part = parts[position]
      position += 1
      switch part {
      case .text(let text): statements.append(.text(text))
      case .output(let tokens, let line):
        var parser = ExpressionParser(tokens, line: line)
        statements.append(.output(try parser.whole()))
      case .statement(let tokens, let line):
        guard depth <= Self.maximumDepth else {
          throw TemplateError(line: line, problem: "statements lie in each other deeper than \(Self.maximumDepth)")
        }
        guard let first = tokens.first, first.kind == .name else {
          throw TemplateError(line: line, problem: "a tag without a statement")
        }
        let rest = Array(tokens.dropFirst())
        if Self.ends.contains(first.text) {
          guard ends.contains(first.text) else {
            throw TemplateError(line: line, problem: "'\(first.text)' does not belong here")
          }
          return (statements, End(word: first.text, tokens: rest, line: line))
        }
        if first.text == "generation" {
          // Marks what the model wrote, for training; its text is as it stands.
          statements += try ended(by: "endgeneration", line)
        } else {
          statements.append(try statement(first.text, rest, line))
        }
      }
    }
    return (statements, nil)
  }

  /// A body up to the one word that ends it.
  private mutating func ended(by word: String, _ line: Int) throws(TemplateError) -> [TemplateStatement] {
    let (statements, end) = try body(until: [word])
    guard end != nil else { throw TemplateError(line: line, problem: "'\(word)' is missing") }
    return statements
  }

  private mutating func statement(
    _ word: String, _ tokens: [TemplateLexer.Token], _ line: Int
  ) throws(TemplateError) -> TemplateStatement {
    var parser = ExpressionParser(tokens, line: line)
    switch word {
    case "if": return try branches(&parser, line)
    case "for": return try loop(&parser, line)
    case "set": return try set(&parser, line)
    case "macro": return try macro(&parser, line)
    case "break":
      try parser.end()
      return .breakLoop
    case "continue":
      try parser.end()
      return .continueLoop
    default: throw TemplateError(line: line, problem: "the statement '\(word)' is not supported")
    }
  }

  private mutating func branches(
    _ parser: inout ExpressionParser, _ line: Int
  ) throws(TemplateError) -> TemplateStatement {
    var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
    var condition = try parser.whole()
    while true {
      let (statements, end) = try body(until: ["elif", "else", "endif"])
      branches.append((condition, statements))
      guard let end else { throw TemplateError(line: line, problem: "'endif' is missing") }
      switch end.word {
      case "elif":
        var parser = ExpressionParser(end.tokens, line: end.line)
        condition = try parser.whole()
      case "else": return .branches(branches, otherwise: try ended(by: "endif", line))
      default: return .branches(branches, otherwise: [])
      }
    }
  }

  private mutating func loop(
    _ parser: inout ExpressionParser, _ line: Int
  ) throws(TemplateError) -> TemplateStatement {
    let targets = try parser.targets()
    guard parser.take(name: "in") else { throw TemplateError(line: line, problem: "'for' without 'in'") }
    let sequence = try parser.withoutCondition()
    let condition = parser.take(name: "if") ? try parser.expression() : nil
    if parser.take(name: "recursive") {
      throw TemplateError(line: line, problem: "a recursive loop is not supported")
    }
    try parser.end()
    let (statements, end) = try body(until: ["else", "endfor"])
    guard let end else { throw TemplateError(line: line, problem: "'endfor' is missing") }
    let otherwise = end.word == "else" ? try ended(by: "endfor", line) : []
    return .loop(
      TemplateLoop(
        targets: targets, sequence: sequence, condition: condition, body: statements, otherwise: otherwise))
  }

  private mutating func set(
    _ parser: inout ExpressionParser, _ line: Int
  ) throws(TemplateError) -> TemplateStatement {
    let target = try parser.targets(allowsMember: true)
    if parser.take(symbol: "=") { return .set(target, try parser.whole(allowsTuple: true)) }
    guard parser.isAtEnd else {
      throw TemplateError(line: line, problem: "'set' with a filter is not supported")
    }
    return .capture(target, try ended(by: "endset", line))
  }

  private mutating func macro(
    _ parser: inout ExpressionParser, _ line: Int
  ) throws(TemplateError) -> TemplateStatement {
    let name = try parser.name()
    try parser.expect("(")
    var parameters: [(name: String, value: TemplateExpression?)] = []
    while !parser.take(symbol: ")") {
      if !parameters.isEmpty { try parser.expect(",") }
      let name = try parser.name()
      parameters.append((name, parser.take(symbol: "=") ? try parser.expression() : nil))
    }
    try parser.end()
    return .macro(TemplateMacro(name: name, parameters: parameters, body: try ended(by: "endmacro", line)))
  }
}
