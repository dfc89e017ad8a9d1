/// Writes a template's text for some values. A template comes with a model and is nobody's to trust: how long it may
/// work, and how much write, is limited.
struct TemplateInterpreter {
  /// What names mean, from the whole template's to the innermost loop's.
  var scopes: [[String: TemplateValue]]
  private(set) var output = ""
  private var steps = 0
  var depth = 0

  private static let mostSteps = 3_000_000
  private static let mostOutput = 64 << 20
  static let maximumDepth = 100

  init(_ values: [String: TemplateValue]) { scopes = [values, [:]] }

  mutating func run(_ statements: [TemplateStatement]) throws(TemplateError) { _ = try execute(statements) }

  // MARK: Statements

  /// How a body ended.
  enum Flow { case onward, breaksLoop, continuesLoop }

  private mutating func execute(_ statements: [TemplateStatement]) throws(TemplateError) -> Flow {
    for statement in statements {
      let flow = try execute(statement)
      if flow != .onward { return flow }
    }
    return .onward
  }

  private mutating func write(_ text: String) throws(TemplateError) {
    output += text
    guard output.utf8.count <= Self.mostOutput else {
      throw TemplateError(line: nil, problem: "it writes more than \(Self.mostOutput >> 20) MiB")
    }
  }

  private mutating func execute(_ statement: TemplateStatement) throws(TemplateError) -> Flow {
    try step(nil)
    switch statement {
    case .text(let text): try write(text)
    case .output(let expression): try write(try value(expression).text)
    case .branches(let branches, let otherwise):
      for branch in branches where try value(branch.condition).isTrue { return try execute(branch.body) }
      return try execute(otherwise)
    case .loop(let loop): try run(loop)
    case .set(let target, let expression): try assign(try value(expression), to: target, line: expression.line)
    case .capture(let target, let body): try assign(.string(try captured(body).text), to: target, line: nil)
    case .macro(let macro): scopes[scopes.count - 1][macro.name] = .macro(macro)
    case .breakLoop: return .breaksLoop
    case .continueLoop: return .continuesLoop
    }
    return .onward
  }

  /// What a body writes, apart.
  mutating func captured(_ body: [TemplateStatement]) throws(TemplateError) -> (text: String, flow: Flow) {
    let before = output
    output = ""
    scopes.append([:])
    defer {
      scopes.removeLast()
      output = before
    }
    let flow = try execute(body)
    return (output, flow)
  }

  private mutating func assign(
    _ value: TemplateValue, to target: TemplateTarget, line: Int?
  ) throws(TemplateError) {
    switch target {
    case .name(let name): scopes[scopes.count - 1][name] = value
    case .names(let names):
      guard let values = value.elements, values.count == names.count else {
        throw TemplateError(line: line, problem: "\(value.typeName) cannot be given to \(names.count) names")
      }
      for (name, value) in zip(names, values) { scopes[scopes.count - 1][name] = value }
    case .member(let name, let member):
      guard case .namespace(let namespace) = lookUp(name) else {
        throw TemplateError(line: line, problem: "'\(name)' is no namespace, and nothing else has members to set")
      }
      namespace.members[member] = value
    }
  }

  private mutating func run(_ loop: TemplateLoop) throws(TemplateError) {
    let line = loop.sequence.line
    let sequence = try value(loop.sequence)
    guard var elements = sequence.elements else {
      throw TemplateError(line: line, problem: "a loop cannot go over \(sequence.typeName)")
    }
    scopes.append([:])
    defer { scopes.removeLast() }
    if let condition = loop.condition {
      var chosen: [TemplateValue] = []
      for element in elements {
        try assign(element, to: loop.targets, line: line)
        if try value(condition).isTrue { chosen.append(element) }
      }
      elements = chosen
    }
    if elements.isEmpty {
      _ = try execute(loop.otherwise)
      return
    }
    for (index, element) in elements.enumerated() {
      scopes[scopes.count - 1] = ["loop": Self.state(of: elements, at: index)]
      try assign(element, to: loop.targets, line: line)
      if try execute(loop.body) == .breaksLoop { return }
    }
  }

  /// What `loop` is in a body.
  private static func state(of elements: [TemplateValue], at index: Int) -> TemplateValue {
    let count = elements.count
    return .dictionary(
      TemplateDictionary([
        ("index", .integer(index + 1)), ("index0", .integer(index)), ("first", .boolean(index == 0)),
        ("last", .boolean(index == count - 1)), ("length", .integer(count)), ("revindex", .integer(count - index)),
        ("revindex0", .integer(count - index - 1)),
        ("previtem", index > 0 ? elements[index - 1] : .undefined("loop.previtem")),
        ("nextitem", index + 1 < count ? elements[index + 1] : .undefined("loop.nextitem")),
      ]))
  }

  // MARK: Expressions

  private mutating func step(_ line: Int?) throws(TemplateError) {
    steps += 1
    guard steps <= Self.mostSteps else { throw TemplateError(line: line, problem: "it takes too many steps") }
  }

  func lookUp(_ name: String) -> TemplateValue {
    for scope in scopes.reversed() { if let value = scope[name] { return value } }
    return .undefined(name)
  }

  mutating func value(_ expression: TemplateExpression) throws(TemplateError) -> TemplateValue {
    let line = expression.line
    try step(line)
    depth += 1
    defer { depth -= 1 }
    guard depth <= 2 * Self.maximumDepth else { throw TemplateError(line: line, problem: "it goes too deep") }
    switch expression.kind {
    case .literal(let value): return value
    case .name(let name): return lookUp(name)
    case .list(let elements): return .list(try values(elements))
    case .dictionary(let members):
      var dictionary = TemplateDictionary()
      for member in members {
        guard let key = try value(member.key).string else {
          throw TemplateError(line: line, problem: "a key that is no text is not supported")
        }
        dictionary[key] = try value(member.value)
      }
      return .dictionary(dictionary)
    case .member(let whole, let name): return try member(name, of: try value(whole), line)
    case .item(let whole, let index): return try item(try value(index), of: try value(whole), line)
    case .slice(let whole, let from, let to, let step):
      return try slice(try value(whole), try optional(from), try optional(to), try optional(step), line)
    case .call(let callee, let arguments): return try call(callee, arguments, line)
    case .filter(let input, let filter, let arguments):
      return try filter.apply(to: try value(input), try evaluated(arguments), line)
    case .test(let input, let test, let arguments, let isNegated):
      return .boolean(try test.holds(of: try value(input), try values(arguments), line) != isNegated)
    case .unsupported(let what): throw TemplateError(line: line, problem: "\(what) is not supported")
    case .negation(let value): return .boolean(!(try self.value(value).isTrue))
    case .sign(let operand, let isNegative):
      let value = try value(operand)
      if let integer = value.integer, let result = isNegative ? negated(integer) : integer { return .integer(result) }
      guard let number = value.number else {
        throw TemplateError(line: line, problem: "\(value.typeName) has no sign")
      }
      return .number(isNegative ? -number : number)
    case .arithmetic(let left, let symbol, let right):
      return try arithmetic(try value(left), symbol, try value(right), line)
    case .comparison(let first, let others):
      var left = try value(first)
      for other in others {
        let right = try value(other.value)
        guard try compare(left, other.symbol, right, line) else { return .boolean(false) }
        left = right
      }
      return .boolean(true)
    case .and(let left, let right):
      let value = try value(left)
      return value.isTrue ? try self.value(right) : value
    case .or(let left, let right):
      let value = try value(left)
      return value.isTrue ? value : try self.value(right)
    case .condition(let condition, let then, let otherwise):
      if try value(condition).isTrue { return try value(then) }
      return try optional(otherwise) ?? .undefined("the value of an 'if' without 'else'")
    }
  }

  mutating func optional(_ expression: TemplateExpression?) throws(TemplateError) -> TemplateValue? {
    guard let expression else { return nil }
    return try value(expression)
  }

  private func negated(_ value: Int) -> Int? {
    let (result, overflow) = (0).subtractingReportingOverflow(value)
    return overflow ? nil : result
  }

  private mutating func values(_ expressions: [TemplateExpression]) throws(TemplateError) -> [TemplateValue] {
    var values: [TemplateValue] = []
    for expression in expressions { values.append(try value(expression)) }
    return values
  }

  mutating func evaluated(
    _ arguments: TemplateArguments<TemplateExpression>
  ) throws(TemplateError) -> TemplateArguments<TemplateValue> {
    var result = TemplateArguments<TemplateValue>()
    result.positional = try values(arguments.positional)
    for argument in arguments.named { result.named.append((argument.name, try value(argument.value))) }
    return result
  }

  private func compare(
    _ left: TemplateValue, _ symbol: String, _ right: TemplateValue, _ line: Int
  ) throws(TemplateError) -> Bool {
    func precedes(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Bool {
      guard let result = left.precedes(right) else {
        throw TemplateError(line: line, problem: "\(left.typeName) and \(right.typeName) have no order")
      }
      return result
    }
    switch symbol {
    case "==": return left.equals(right)
    case "!=": return !left.equals(right)
    case "<": return try precedes(left, right)
    case ">": return try precedes(right, left)
    case "<=": return try !precedes(right, left)
    case ">=": return try !precedes(left, right)
    case "not in": return !(try left.isMember(of: right, line))
    default: return try left.isMember(of: right, line)
    }
  }
}
