/// Functions, macros and methods.
extension TemplateInterpreter {
  mutating func call(
    _ callee: TemplateExpression, _ arguments: TemplateArguments<TemplateExpression>, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    let given = try evaluated(arguments)
    if case .member(let object, let name) = callee.kind {
      let value = try value(object)
      if case .namespace(let namespace) = value, case .macro(let macro)? = namespace.members[name] {
        return try call(macro, given, line)
      }
      return try method(name, of: value, given, line)
    }
    if case .name(let name) = callee.kind {
      if case .macro(let macro) = lookUp(name) { return try call(macro, given, line) }
      if lookUp(name).isUndefined { return try call(function: name, given, line) }
    }
    throw TemplateError(line: line, problem: "\(try value(callee).typeName) cannot be called")
  }

  private func call(
    function name: String, _ arguments: TemplateArguments<TemplateValue>, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    switch name {
    case "namespace", "dict":
      var members = TemplateDictionary()
      if case .dictionary(let first)? = arguments.positional.first { members = first }
      for (name, value) in arguments.named { members[name] = value }
      return name == "dict" ? .dictionary(members) : .namespace(TemplateNamespace(members))
    case "range":
      let numbers = arguments.positional.compactMap(\.integer)
      guard numbers.count == arguments.positional.count, (1...3).contains(numbers.count) else {
        throw TemplateError(line: line, problem: "'range' takes one to three whole numbers")
      }
      let (start, end) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
      let step = numbers.count == 3 ? numbers[2] : 1
      let limit = 1 << 40
      guard step != 0, [start, end, step].allSatisfy({ abs($0.clamped) < limit }),
        (end - start) / step <= 100_000
      else { throw TemplateError(line: line, problem: "'range' would be too long") }
      return .list(stride(from: start, to: end, by: step).map { .integer($0) })
    case "raise_exception":
      throw TemplateError(line: nil, problem: "it refuses these messages: \(arguments.positional.first?.text ?? "")")
    case "strftime_now":
      throw TemplateError(
        line: line, problem: "it asks for today's date, with which every day would have its own numbers")
    default: throw TemplateError(line: line, problem: "there is no function '\(name)'")
    }
  }

  private mutating func call(
    _ macro: TemplateMacro, _ arguments: TemplateArguments<TemplateValue>, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    guard arguments.positional.count <= macro.parameters.count,
      arguments.named.allSatisfy({ argument in macro.parameters.contains { $0.name == argument.name } })
    else { throw TemplateError(line: line, problem: "the macro '\(macro.name)' takes other arguments") }
    guard depth <= Self.maximumDepth else {
      throw TemplateError(line: line, problem: "macros call each other too deep")
    }
    depth += 1
    let outer = scopes
    scopes = Array(scopes.prefix(2)) + [[:]]
    defer {
      scopes = outer
      depth -= 1
    }
    for (index, parameter) in macro.parameters.enumerated() {
      let given =
        index < arguments.positional.count
        ? arguments.positional[index] : arguments.named.first { $0.name == parameter.name }?.value
      let value = if let given { given } else { try optional(parameter.value) }
      scopes[2][parameter.name] = value ?? .undefined(parameter.name)
    }
    return .string(try captured(macro.body).text)
  }
}

extension Int {
  /// The same, but for the one number that has no absolute value.
  fileprivate var clamped: Int { Swift.max(self, -Int.max) }
}
