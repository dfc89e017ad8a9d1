/// Jinja's tests, what stands behind `is`, as far as chat templates use them.
enum TemplateTest: String {
  case defined, undefined, none, string, number, integer, float, boolean, mapping, iterable, sequence, callable, even,
    odd, divisibleby, equalto, eq, ne, `in`, lt, le, gt, ge, lower, upper
  case isTrue = "true"
  case isFalse = "false"
  case same = "sameas"
  case equals = "=="
  /// What `select` takes without a test.
  case truth = ""

  /// Values that it takes beside the one it is about.
  var argumentCount: Int {
    switch self {
    case .divisibleby, .equalto, .eq, .ne, .in, .lt, .le, .gt, .ge, .same, .equals: 1
    default: 0
    }
  }

  func holds(
    of value: TemplateValue, _ arguments: [TemplateValue], _ line: Int
  ) throws(TemplateError) -> Bool {
    guard arguments.count == argumentCount else {
      throw TemplateError(line: line, problem: "the test '\(rawValue)' has other arguments")
    }
    func integer() throws(TemplateError) -> Int {
      guard let integer = value.integer else {
        throw TemplateError(line: line, problem: "\(value.typeName) is neither even nor odd")
      }
      return integer
    }
    func precedes(_ one: TemplateValue, _ other: TemplateValue) throws(TemplateError) -> Bool {
      guard let result = one.precedes(other) else {
        throw TemplateError(line: line, problem: "\(one.typeName) and \(other.typeName) have no order")
      }
      return result
    }
    switch self {
    case .defined: return !value.isUndefined
    case .undefined: return value.isUndefined
    case .truth: return value.isTrue
    case .none: if case .none = value { return true } else { return false }
    case .string: return value.string != nil
    case .boolean: if case .boolean = value { return true } else { return false }
    case .isTrue: if case .boolean(true) = value { return true } else { return false }
    case .isFalse: if case .boolean(false) = value { return true } else { return false }
    case .integer: if case .integer = value { return true } else { return false }
    case .float: if case .number = value { return true } else { return false }
    case .number: return value.number != nil
    case .mapping: if case .dictionary = value { return true } else { return false }
    case .iterable: return value.elements != nil
    case .sequence: return value.elements != nil && !value.isUndefined
    case .callable: if case .macro = value { return true } else { return false }
    case .even: return try integer() % 2 == 0
    case .odd: return try integer() % 2 != 0
    case .divisibleby:
      guard let divisor = arguments[0].integer, divisor != 0 else {
        throw TemplateError(line: line, problem: "'divisibleby' takes a whole number other than 0")
      }
      return try integer().remainderReportingOverflow(dividingBy: divisor).partialValue == 0
    case .equalto, .eq, .equals, .same: return value.equals(arguments[0])
    case .ne: return !value.equals(arguments[0])
    case .in: return try value.isMember(of: arguments[0], line)
    case .lt: return try precedes(value, arguments[0])
    case .gt: return try precedes(arguments[0], value)
    case .le: return try !precedes(arguments[0], value)
    case .ge: return try !precedes(value, arguments[0])
    case .lower: return value.text == value.text.lowercased()
    case .upper: return value.text == value.text.uppercased()
    }
  }
}
