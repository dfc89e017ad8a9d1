/// Members, items, slices, sums and methods of values, as Python has them.
extension TemplateInterpreter {
  func member(_ name: String, of value: TemplateValue, _ line: Int) throws(TemplateError) -> TemplateValue {
    switch value {
    case .undefined(let what):
      throw TemplateError(line: line, problem: "'\(what)' is undefined, so it has no '\(name)'")
    case .dictionary(let dictionary): return dictionary[name] ?? .undefined(name)
    case .namespace(let namespace): return namespace.members[name] ?? .undefined(name)
    default: return .undefined(name)
    }
  }

  func item(
    _ index: TemplateValue, of value: TemplateValue, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    if let name = index.string { return try member(name, of: value, line) }
    guard let number = index.integer else { return .undefined(index.text) }
    switch value {
    case .undefined(let what):
      throw TemplateError(line: line, problem: "'\(what)' is undefined, so it has no item \(number)")
    case .list, .string:
      let elements = value.elements ?? []
      let place = number < 0 ? number + elements.count : number
      return elements.indices.contains(place) ? elements[place] : .undefined("item \(number)")
    default: return .undefined("item \(number)")
    }
  }

  func slice(
    _ value: TemplateValue, _ from: TemplateValue?, _ to: TemplateValue?, _ step: TemplateValue?, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    func number(_ value: TemplateValue?) throws(TemplateError) -> Int? {
      guard let value else { return nil }
      if case .none = value { return nil }
      guard let number = value.integer, abs(Double(number)) < 1e15 else {
        throw TemplateError(line: line, problem: "a slice takes whole numbers, not \(value.typeName)")
      }
      return number
    }
    let elements: [TemplateValue]
    switch value {
    case .list(let values): elements = values
    case .string: elements = value.elements ?? []
    default: throw TemplateError(line: line, problem: "\(value.typeName) cannot be sliced")
    }
    let stride = try number(step) ?? 1
    guard stride != 0 else { throw TemplateError(line: line, problem: "a slice's step is 0") }
    let count = elements.count
    func place(_ index: Int?, _ missing: Int) -> Int {
      guard let index else { return missing }
      let place = index < 0 ? index + count : index
      return stride > 0 ? min(max(place, 0), count) : min(max(place, -1), count - 1)
    }
    let start = place(try number(from), stride > 0 ? 0 : count - 1)
    let end = place(try number(to), stride > 0 ? count : -1)
    let chosen = Swift.stride(from: start, to: end, by: stride).map { elements[$0] }
    return value.string == nil ? .list(chosen) : .string(chosen.map(\.text).joined())
  }

  func arithmetic(
    _ left: TemplateValue, _ symbol: String, _ right: TemplateValue, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    func failure() -> TemplateError {
      TemplateError(line: line, problem: "'\(symbol)' does not go with \(left.typeName) and \(right.typeName)")
    }
    switch (left, symbol, right) {
    case (_, "~", _): return .string(left.text + right.text)
    case (.string(let one), "+", .string(let another)): return .string(one + another)
    case (.list(let one), "+", .list(let another)): return .list(one + another)
    case (.string(let text), "*", _):
      guard let count = right.integer, count <= 10_000, count * text.utf8.count <= 1 << 24 else { throw failure() }
      return .string(String(repeating: text, count: max(0, count)))
    default: break
    }
    if symbol != "/", symbol != "**", let one = left.integer, let another = right.integer {
      guard another != 0 || !["//", "%"].contains(symbol) else {
        throw TemplateError(line: line, problem: "a division by 0")
      }
      let (result, overflow): (Int, Bool)
      switch symbol {
      case "+": (result, overflow) = one.addingReportingOverflow(another)
      case "-": (result, overflow) = one.subtractingReportingOverflow(another)
      case "*": (result, overflow) = one.multipliedReportingOverflow(by: another)
      default:
        // Python rounds down, where Swift rounds toward 0.
        let (quotient, quotientOverflows) = one.dividedReportingOverflow(by: another)
        let remainder = one.remainderReportingOverflow(dividingBy: another).partialValue
        let isBelow = remainder != 0 && (remainder < 0) != (another < 0)
        (result, overflow) =
          symbol == "//"
          ? (quotient - (isBelow ? 1 : 0), quotientOverflows) : (remainder + (isBelow ? another : 0), false)
      }
      guard !overflow else { throw TemplateError(line: line, problem: "a number too large") }
      return .integer(result)
    }
    guard let one = left.number, let another = right.number else { throw failure() }
    switch symbol {
    case "+": return .number(one + another)
    case "-": return .number(one - another)
    case "*": return .number(one * another)
    case "/" where another != 0: return .number(one / another)
    case "//" where another != 0: return .number((one / another).rounded(.down))
    case "%" where another != 0: return .number(one - another * (one / another).rounded(.down))
    case "**":
      throw TemplateError(line: line, problem: "'**' is not supported")
    default: throw TemplateError(line: line, problem: "a division by 0")
    }
  }

  func method(
    _ name: String, of value: TemplateValue, _ arguments: TemplateArguments<TemplateValue>, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    switch value {
    case .undefined(let what):
      throw TemplateError(line: line, problem: "'\(what)' is undefined, so it has no '\(name)'")
    case .string(let text):
      if let result = try text.method(name, arguments, line) { return result }
    case .dictionary(let dictionary):
      switch name {
      case "items": return .list(dictionary.members.map { .list([.string($0.key), $0.value]) })
      case "keys": return .list(dictionary.members.map { .string($0.key) })
      case "values": return .list(dictionary.members.map(\.value))
      case "get":
        guard let key = arguments.positional.first?.string else { break }
        return dictionary[key] ?? (arguments.positional.count > 1 ? arguments.positional[1] : .none)
      default: break
      }
    default: break
    }
    throw TemplateError(line: line, problem: "the method '\(name)' of \(value.typeName) is not supported")
  }
}

extension TemplateValue {
  /// Python's `in`.
  func isMember(of whole: TemplateValue, _ line: Int) throws(TemplateError) -> Bool {
    switch whole {
    case .string(let text):
      guard let part = string else {
        throw TemplateError(line: line, problem: "\(typeName) cannot lie in a text")
      }
      return text.position(of: part) != nil
    case .list(let values): return values.contains { equals($0) }
    case .dictionary(let dictionary): return string.map { dictionary[$0] != nil } ?? false
    case .undefined: return false
    default: throw TemplateError(line: line, problem: "nothing lies in \(whole.typeName)")
    }
  }
}
