/// What expressions are made of: values, names, and what stands between brackets.
extension ExpressionParser {
  mutating func primary() throws(TemplateError) -> TemplateExpression {
    guard let token else { throw unexpected }
    position += 1
    switch token.kind {
    case .string:
      var text = token.text
      while let next = self.token, next.kind == .string {
        text += next.text
        position += 1
      }
      return made(.literal(.string(text)))
    case .integer:
      guard let value = Int(token.text) else { throw failure("the number \(token.text) is too large") }
      return made(.literal(.integer(value)))
    case .number: return made(.literal(.number(Double(token.text) ?? .infinity)))
    case .name:
      switch token.text {
      case "true", "True": return made(.literal(.boolean(true)))
      case "false", "False": return made(.literal(.boolean(false)))
      case "none", "None": return made(.literal(.none))
      case "if", "else", "in", "is", "and", "or", "not":
        position -= 1
        throw unexpected
      default: return made(.name(token.text))
      }
    case .symbol:
      switch token.text {
      case "(":
        if take(symbol: ")") { return made(.list([])) }
        var values = [try expression()]
        var isTuple = false
        while take(symbol: ",") {
          isTuple = true
          if isNext(symbol: ")") { break }
          values.append(try expression())
        }
        try expect(")")
        return isTuple ? made(.list(values)) : values[0]
      case "[":
        var values: [TemplateExpression] = []
        while !take(symbol: "]") {
          if !values.isEmpty { try expect(",") }
          if take(symbol: "]") { break }
          values.append(try expression())
        }
        return made(.list(values))
      case "{":
        var members: [(key: TemplateExpression, value: TemplateExpression)] = []
        while !take(symbol: "}") {
          if !members.isEmpty { try expect(",") }
          if take(symbol: "}") { break }
          let key = try expression()
          try expect(":")
          members.append((key, try expression()))
        }
        return made(.dictionary(members))
      default:
        position -= 1
        throw unexpected
      }
    }
  }
}
