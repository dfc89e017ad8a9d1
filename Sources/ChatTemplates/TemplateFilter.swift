/// Jinja's filters, as far as chat templates use them.
enum TemplateFilter: String {
  case abs, capitalize, count, d, `default`, dictsort, first, float, indent, int, items, join, last, length, list,
    lower, map, max, min, reject, rejectattr, replace, reverse, round, safe, select, selectattr, sort, string, sum,
    title, tojson, trim, unique, upper

  func apply(
    to value: TemplateValue, _ arguments: TemplateArguments<TemplateValue>, _ line: Int
  ) throws(TemplateError) -> TemplateValue {
    func failure(_ problem: String) -> TemplateError { TemplateError(line: line, problem: problem) }
    func argument(_ index: Int, _ name: String) -> TemplateValue? {
      index < arguments.positional.count
        ? arguments.positional[index] : arguments.named.first { $0.name == name }?.value
    }
    func elements() throws(TemplateError) -> [TemplateValue] {
      // Jinja's filters of sequences take whatever is false for an empty one.
      if !value.isTrue, [.map, .select, .selectattr, .reject, .rejectattr].contains(self) { return [] }
      guard let elements = value.elements else { throw failure("'\(rawValue)' does not go with \(value.typeName)") }
      return elements
    }
    switch self {
    case .string, .safe: return .string(value.text)
    case .trim: return .string(value.text.trimmed(of: argument(0, "chars")?.string))
    case .upper: return .string(value.text.uppercased())
    case .lower: return .string(value.text.lowercased())
    case .capitalize: return .string(value.text.capitalizedOnce)
    case .title: return .string(value.text.titled)
    case .replace:
      guard let old = argument(0, "old")?.text, let new = argument(1, "new")?.text else {
        throw failure("'replace' takes two texts")
      }
      return .string(value.text.replaced(old, by: new, atMost: argument(2, "count")?.integer))
    case .indent:
      let width = argument(0, "width")
      let space = width?.string ?? String(repeating: " ", count: Swift.min(64, Swift.max(0, width?.integer ?? 4)))
      let (first, blank) = (argument(1, "first")?.isTrue ?? false, argument(2, "blank")?.isTrue ?? false)
      let lines = value.text.parts(by: "\n", atMost: nil, fromEnd: false) ?? []
      return .string(
        lines.enumerated().map { index, text in
          (index == 0 ? first : blank || !text.isEmpty) ? space + text : text
        }.joined(separator: "\n"))
    case .length, .count:
      guard let count = value.elements?.count else { throw failure("\(value.typeName) has no length") }
      return .integer(count)
    case .default, .d:
      let replaces = value.isUndefined || (argument(1, "boolean")?.isTrue ?? false && !value.isTrue)
      return replaces ? argument(0, "default_value") ?? .string("") : value
    case .first: return try elements().first ?? .undefined("the first of nothing")
    case .last: return try elements().last ?? .undefined("the last of nothing")
    case .list: return .list(try elements())
    case .reverse:
      let reversed = Array(try elements().reversed())
      return value.string == nil ? .list(reversed) : .string(reversed.map(\.text).joined())
    case .unique:
      var found: [TemplateValue] = []
      for element in try elements() where !found.contains(where: { $0.equals(element) }) { found.append(element) }
      return .list(found)
    case .join:
      let (separator, member) = (argument(0, "d")?.text ?? "", argument(1, "attribute")?.string)
      var texts: [String] = []
      for element in try elements() {
        texts.append(try part(member, of: element, line).text)
      }
      return .string(texts.joined(separator: separator))
    case .items, .dictsort:
      guard case .dictionary(let dictionary) = value else {
        if self == .items, value.isUndefined { return .list([]) }
        throw failure("'\(rawValue)' goes with a mapping, not with \(value.typeName)")
      }
      var members = dictionary.members
      if self == .dictsort {
        members.sort {
          $0.key.lowercased().unicodeScalars.lexicographicallyPrecedes($1.key.lowercased().unicodeScalars)
        }
      }
      return .list(members.map { .list([.string($0.key), $0.value]) })
    case .tojson:
      let indentation = argument(1, "indent")?.integer.map { Swift.min(64, Swift.max(0, $0)) }
      guard arguments.named.allSatisfy({ ["indent", "sort_keys", "ensure_ascii"].contains($0.name) }),
        !(argument(0, "ensure_ascii")?.isTrue ?? false)
      else { throw failure("'tojson' with these arguments is not supported") }
      guard let text = value.json(indentation: indentation, sortsKeys: argument(3, "sort_keys")?.isTrue ?? false)
      else { throw failure("\(value.typeName) has no JSON") }
      return .string(text)
    case .abs:
      if let integer = value.integer, integer > .min { return .integer(Swift.abs(integer)) }
      guard let number = value.number else { throw failure("'abs' goes with a number") }
      return .number(Swift.abs(number))
    case .int:
      let parsed =
        value.string.map { Int($0.trimmed(of: nil)) } ?? value.integer
        ?? value.number.flatMap { Int(exactly: $0.rounded(.towardZero)) }
      return .integer(parsed ?? argument(0, "default")?.integer ?? 0)
    case .float:
      return .number(value.string.map { Double($0.trimmed(of: nil)) ?? 0 } ?? value.number ?? 0)
    case .round:
      guard let number = value.number, argument(0, "precision")?.integer ?? 0 == 0, argument(1, "method") == nil else {
        throw failure("'round' with these arguments is not supported")
      }
      return .number(number.rounded(.toNearestOrEven))
    case .sum:
      var sum = TemplateValue.integer(0)
      let interpreter = TemplateInterpreter([:])
      for element in try elements() { sum = try interpreter.arithmetic(sum, "+", element, line) }
      return sum
    case .max, .min, .sort:
      if let unknown = arguments.named.first(where: { !["attribute", "reverse"].contains($0.name) }) {
        throw failure("'\(rawValue)' with '\(unknown.name)' is not supported")
      }
      var keyed: [(key: TemplateValue, value: TemplateValue)] = []
      for element in try elements() {
        let key = try part(argument(self == .sort ? 2 : 1, "attribute")?.string, of: element, line)
        keyed.append((key.string.map { .string($0.lowercased()) } ?? key, element))
      }
      guard keyed.indices.dropFirst().allSatisfy({ keyed[$0 - 1].key.precedes(keyed[$0].key) != nil }) else {
        throw failure("these have no order")
      }
      keyed.sort { $0.key.precedes($1.key) ?? false }
      if self == .min { return keyed.first?.value ?? .undefined("the least of nothing") }
      if self == .max { return keyed.last?.value ?? .undefined("the largest of nothing") }
      let sorted = keyed.map(\.value)
      return .list(argument(0, "reverse")?.isTrue ?? false ? sorted.reversed() : sorted)
    case .map:
      if let member = arguments.named.first(where: { $0.name == "attribute" })?.value.string {
        let missing = arguments.named.first { $0.name == "default" }?.value
        var values: [TemplateValue] = []
        for element in try elements() {
          let found = try part(member, of: element, line)
          values.append(found.isUndefined ? missing ?? found : found)
        }
        return .list(values)
      }
      guard let name = arguments.positional.first?.string, let filter = TemplateFilter(rawValue: name) else {
        throw failure("'map' takes a member or a filter that is supported")
      }
      var rest = arguments
      rest.positional.removeFirst()
      var values: [TemplateValue] = []
      for element in try elements() { values.append(try filter.apply(to: element, rest, line)) }
      return .list(values)
    case .select, .reject, .selectattr, .rejectattr:
      let member = self == .selectattr || self == .rejectattr ? argument(0, "attribute")?.string : nil
      let others = Array(arguments.positional.dropFirst(member == nil ? 0 : 1))
      let wanted = self == .select || self == .selectattr
      guard let test = others.first.map({ TemplateTest(rawValue: $0.text) }) ?? .truth else {
        throw failure("the test '\(others.first?.text ?? "")' is not supported")
      }
      let values = Array(others.dropFirst())
      guard values.count == test.argumentCount else { throw failure("the test '\(test.rawValue)' has other arguments") }
      var chosen: [TemplateValue] = []
      for element in try elements() {
        let subject = try part(member, of: element, line)
        if try test.holds(of: subject, values, line) == wanted { chosen.append(element) }
      }
      return .list(chosen)
    }
  }

  /// A member, or a member of a member with a point between; without a name, the value itself.
  private func part(_ names: String?, of value: TemplateValue, _ line: Int) throws(TemplateError) -> TemplateValue {
    guard let names else { return value }
    let interpreter = TemplateInterpreter([:])
    var value = value
    for name in names.split(separator: ".") {
      if let index = Int(name) {
        value = try interpreter.item(.integer(index), of: value, line)
      } else {
        value = try interpreter.member(String(name), of: value, line)
      }
    }
    return value
  }
}
