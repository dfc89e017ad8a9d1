/// Reads Jinja's expressions, from those that bind least to those that bind most.
struct ExpressionParser {
  let tokens: [TemplateLexer.Token]
  /// Of the tag.
  private let line: Int
  var position = 0
  private var depth = 0

  /// Operators, members, calls and filters so far: each puts what stands before it one level deeper.
  private var links = 0

  private static let maximumDepth = 50
  private static let mostLinks = 500

  init(_ tokens: [TemplateLexer.Token], line: Int) { (self.tokens, self.line) = (tokens, line) }

  private mutating func link() throws(TemplateError) {
    links += 1
    guard links <= Self.mostLinks else { throw failure("an expression of more than \(Self.mostLinks) parts") }
  }

  // MARK: Tokens

  var token: TemplateLexer.Token? { position < tokens.count ? tokens[position] : nil }

  var isAtEnd: Bool { position == tokens.count }

  func failure(_ problem: String) -> TemplateError {
    TemplateError(line: token?.line ?? tokens.last?.line ?? line, problem: problem)
  }

  var unexpected: TemplateError {
    failure(token.map { "'\($0.text)' does not belong here" } ?? "something is missing")
  }

  func made(_ kind: TemplateExpression.Kind) -> TemplateExpression {
    TemplateExpression(kind: kind, line: token?.line ?? tokens.last?.line ?? line)
  }

  func isNext(symbol: String) -> Bool { token.map { $0.kind == .symbol && $0.text == symbol } ?? false }

  private func isNext(name: String) -> Bool { token.map { $0.kind == .name && $0.text == name } ?? false }

  mutating func take(symbol: String) -> Bool {
    guard isNext(symbol: symbol) else { return false }
    position += 1
    return true
  }

  mutating func take(name: String) -> Bool {
    guard isNext(name: name) else { return false }
    position += 1
    return true
  }

  mutating func expect(_ symbol: String) throws(TemplateError) {
    guard take(symbol: symbol) else {
      throw failure("'\(symbol)' is missing" + (token.map { " before '\($0.text)'" } ?? ""))
    }
  }

  mutating func end() throws(TemplateError) { guard isAtEnd else { throw unexpected } }

  mutating func name() throws(TemplateError) -> String {
    guard let token, token.kind == .name else { throw unexpected }
    position += 1
    return token.text
  }

  /// What `for` and `set` give values to.
  mutating func targets(allowsMember: Bool = false) throws(TemplateError) -> TemplateTarget {
    let isBracketed = take(symbol: "(")
    var names = [try name()]
    if allowsMember, take(symbol: ".") { return .member(of: names[0], try name()) }
    while take(symbol: ",") { names.append(try name()) }
    if isBracketed { try expect(")") }
    return names.count == 1 ? .name(names[0]) : .names(names)
  }

  // MARK: Expressions

  /// The rest of the tag.
  ///
  /// - Parameter allowsTuple: Whether values between commas make a list.
  mutating func whole(allowsTuple: Bool = false) throws(TemplateError) -> TemplateExpression {
    var values = [try expression()]
    while allowsTuple, take(symbol: ","), !isAtEnd { values.append(try expression()) }
    try end()
    return values.count == 1 ? values[0] : made(.list(values))
  }

  mutating func expression() throws(TemplateError) -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else {
      throw failure("expressions lie in each other deeper than \(Self.maximumDepth)")
    }
    var value = try disjunction()
    while take(name: "if") {
      try link()
      let condition = try disjunction()
      let otherwise = take(name: "else") ? try expression() : nil
      value = made(.condition(condition, then: value, otherwise: otherwise))
    }
    return value
  }

  /// What a loop goes over: an `if` behind it is the loop's own.
  mutating func withoutCondition() throws(TemplateError) -> TemplateExpression { try disjunction() }

  private mutating func disjunction() throws(TemplateError) -> TemplateExpression {
    var value = try conjunction()
    while take(name: "or") {
      try link()
      value = made(.or(value, try conjunction()))
    }
    return value
  }

  private mutating func conjunction() throws(TemplateError) -> TemplateExpression {
    var value = try negation()
    while take(name: "and") {
      try link()
      value = made(.and(value, try negation()))
    }
    return value
  }

  private mutating func negation() throws(TemplateError) -> TemplateExpression {
    var count = 0
    while take(name: "not") { count += 1 }
    let value = try comparison()
    return count == 0 ? value : made(.negation(count % 2 == 1 ? value : made(.negation(value))))
  }

  private mutating func comparison() throws(TemplateError) -> TemplateExpression {
    let first = try sum()
    var others: [(symbol: String, value: TemplateExpression)] = []
    while let token {
      if token.kind == .symbol, ["==", "!=", "<", "<=", ">", ">="].contains(token.text) {
        position += 1
        others.append((token.text, try sum()))
      } else if isNext(name: "in") {
        position += 1
        others.append(("in", try sum()))
      } else if isNext(name: "not"), position + 1 < tokens.count, tokens[position + 1].text == "in" {
        position += 2
        others.append(("not in", try sum()))
      } else {
        break
      }
    }
    return others.isEmpty ? first : made(.comparison(first, others))
  }

  private mutating func sum() throws(TemplateError) -> TemplateExpression {
    try operators(["+", "-"]) { (parser) throws(TemplateError) in
      try parser.operators(["~"]) { (parser) throws(TemplateError) in
        try parser.operators(["*", "/", "//", "%"]) { (parser) throws(TemplateError) in
          try parser.operators(["**"]) { (parser) throws(TemplateError) in try parser.signed() }
        }
      }
    }
  }

  /// A chain of operators of the same strength, from the left.
  private mutating func operators(
    _ symbols: [String], _ operand: (inout ExpressionParser) throws(TemplateError) -> TemplateExpression
  ) throws(TemplateError) -> TemplateExpression {
    var value = try operand(&self)
    while let token, token.kind == .symbol, symbols.contains(token.text) {
      try link()
      position += 1
      value = made(.arithmetic(value, token.text, try operand(&self)))
    }
    return value
  }

  private mutating func signed() throws(TemplateError) -> TemplateExpression {
    try behind(try withSign(), allowsFilters: true)
  }

  private mutating func withSign() throws(TemplateError) -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw failure("too many signs") }
    for symbol in ["-", "+"] where take(symbol: symbol) {
      return made(.sign(try withSign(), isNegative: symbol == "-"))
    }
    return try behind(try primary(), allowsFilters: false)
  }

  /// Members, items, calls, and, where they are allowed, filters and tests.
  private mutating func behind(
    _ first: TemplateExpression, allowsFilters: Bool
  ) throws(TemplateError) -> TemplateExpression {
    var value = first
    while true {
      try link()
      if take(symbol: ".") {
        if let token, token.kind == .integer, let index = Int(token.text) {
          position += 1
          value = made(.item(value, made(.literal(.integer(index)))))
        } else {
          value = made(.member(value, try name()))
        }
      } else if take(symbol: "[") {
        value = try subscripted(value)
      } else if take(symbol: "(") {
        value = made(.call(value, try arguments()))
      } else if allowsFilters, take(symbol: "|") {
        let name = try name()
        let arguments = take(symbol: "(") ? try arguments() : TemplateArguments()
        value =
          TemplateFilter(rawValue: name).map { made(.filter(value, $0, arguments)) }
          ?? made(.unsupported("the filter '\(name)'"))
      } else if allowsFilters, take(name: "is") {
        value = try test(value)
      } else {
        return value
      }
    }
  }

  private mutating func test(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    let isNegated = take(name: "not")
    let name = try name()
    var values: [TemplateExpression] = []
    if take(symbol: "(") {
      values = try arguments().positional
    } else if let token, token.kind != .symbol || ["[", "{"].contains(token.text),
      !(token.kind == .name && ["else", "or", "and", "if", "is", "in", "not"].contains(token.text))
    {
      values = [try behind(try primary(), allowsFilters: false)]
    }
    guard let test = TemplateTest(rawValue: name) else { return made(.unsupported("the test '\(name)'")) }
    guard values.count == test.argumentCount else { throw failure("the test '\(name)' has other arguments") }
    return made(.test(value, test, values, isNegated: isNegated))
  }

  private mutating func subscripted(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    func isPartEnd(_ parser: ExpressionParser) -> Bool { parser.isNext(symbol: ":") || parser.isNext(symbol: "]") }
    let from = isPartEnd(self) ? nil : try expression()
    guard take(symbol: ":") else {
      try expect("]")
      guard let from else { throw unexpected }
      return made(.item(value, from))
    }
    let to = isPartEnd(self) ? nil : try expression()
    let step = take(symbol: ":") && !isPartEnd(self) ? try expression() : nil
    try expect("]")
    return made(.slice(value, from: from, to: to, step: step))
  }

  /// Those behind an opening bracket, with the closing one.
  private mutating func arguments() throws(TemplateError) -> TemplateArguments<TemplateExpression> {
    var arguments = TemplateArguments<TemplateExpression>()
    while !take(symbol: ")") {
      if !arguments.positional.isEmpty || !arguments.named.isEmpty {
        try expect(",")
        if take(symbol: ")") { break }
      }
      if let token, token.kind == .name, position + 1 < tokens.count, tokens[position + 1].text == "=",
        tokens[position + 1].kind == .symbol
      {
        position += 2
        arguments.named.append((token.text, try expression()))
      } else {
        guard arguments.named.isEmpty else { throw failure("a value without a name behind one with a name") }
        arguments.positional.append(try expression())
      }
    }
    return arguments
  }
}
