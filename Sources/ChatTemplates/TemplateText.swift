/// Python's methods of texts, which count in Unicode scalars.
extension String {
  /// nil for a method that is none.
  func method(
    _ name: String, _ arguments: TemplateArguments<TemplateValue>, _ line: Int
  ) throws(TemplateError) -> TemplateValue? {
    let texts = arguments.positional.map(\.string)
    func failure() -> TemplateError { TemplateError(line: line, problem: "'\(name)' takes other arguments") }
    func text(_ index: Int) throws(TemplateError) -> String {
      guard index < texts.count, let text = texts[index] else { throw failure() }
      return text
    }
    /// One text, or any of several.
    func any(_ holds: (String) -> Bool) throws(TemplateError) -> TemplateValue {
      guard let first = arguments.positional.first else { throw failure() }
      if case .list(let values) = first { return .boolean(values.compactMap(\.string).contains(where: holds)) }
      return .boolean(holds(try text(0)))
    }
    switch name {
    case "strip": return .string(trimmed(of: texts.first ?? nil, atStart: true, atEnd: true))
    case "lstrip": return .string(trimmed(of: texts.first ?? nil, atStart: true, atEnd: false))
    case "rstrip": return .string(trimmed(of: texts.first ?? nil, atStart: false, atEnd: true))
    case "upper": return .string(uppercased())
    case "lower": return .string(lowercased())
    case "capitalize": return .string(capitalizedOnce)
    case "title": return .string(titled)
    case "startswith": return try any { self.utf8.starts(with: $0.utf8) }
    case "endswith": return try any { self.utf8.reversed().starts(with: $0.utf8.reversed()) }
    case "replace":
      let limit = arguments.positional.count > 2 ? arguments.positional[2].integer : nil
      return .string(replaced(try text(0), by: try text(1), atMost: limit))
    case "split", "rsplit":
      let limit =
        arguments.positional.count > 1
        ? arguments.positional[1] : arguments.named.first { $0.name == "maxsplit" }?.value
      let separator = arguments.positional.first ?? arguments.named.first { $0.name == "sep" }?.value
      guard
        let parts = parts(
          by: separator?.string, atMost: limit?.integer.flatMap { $0 < 0 ? nil : $0 }, fromEnd: name == "rsplit")
      else { throw failure() }
      return .list(parts.map { .string($0) })
    case "splitlines": return .list(parts(by: "\n", atMost: nil, fromEnd: false)?.map { .string($0) } ?? [])
    case "join":
      guard let values = arguments.positional.first?.elements, values.allSatisfy({ $0.string != nil }) else {
        throw failure()
      }
      return .string(values.map(\.text).joined(separator: self))
    case "find": return .integer(position(of: try text(0)) ?? -1)
    case "count":
      let part = try text(0)
      guard !part.isEmpty else { throw failure() }
      return .integer((parts(by: part, atMost: nil, fromEnd: false)?.count ?? 1) - 1)
    case "removeprefix":
      let part = try text(0)
      return .string(utf8.starts(with: part.utf8) ? String(unicodeScalars.dropFirst(part.unicodeScalars.count)) : self)
    case "removesuffix":
      let part = try text(0)
      let ends = utf8.reversed().starts(with: part.utf8.reversed())
      return .string(ends ? String(unicodeScalars.dropLast(part.unicodeScalars.count)) : self)
    case "format":
      guard let result = formatted(arguments) else { throw failure() }
      return .string(result)
    case "isdigit":
      return .boolean(!isEmpty && unicodeScalars.allSatisfy { $0.properties.numericType == .decimal })
    default: return nil
    }
  }

  /// Python's `format` with places `{}`, `{0}` and `{name}`; nil for others, and for places without a value.
  private func formatted(_ arguments: TemplateArguments<TemplateValue>) -> String? {
    var (result, rest, next) = ("", unicodeScalars[...], 0)
    while let scalar = rest.popFirst() {
      guard scalar == "{" || scalar == "}" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      if rest.first == scalar {
        rest.removeFirst()
        result.unicodeScalars.append(scalar)
        continue
      }
      guard scalar == "{", let end = rest.firstIndex(of: "}") else { return nil }
      let name = String(rest[..<end])
      rest = rest[rest.index(after: end)...]
      let index = name.isEmpty ? next : Int(name)
      if name.isEmpty { next += 1 }
      let value =
        index.map { arguments.positional.indices.contains($0) ? arguments.positional[$0] : nil }
        ?? arguments.named.first { $0.name == name }?.value
      guard let value else { return nil }
      result += value.text
    }
    return result
  }

  /// - Parameter scalars: What is taken off; nil for white space.
  func trimmed(of scalars: String?, atStart: Bool = true, atEnd: Bool = true) -> String {
    let unwanted = scalars.map { Set($0.unicodeScalars) }
    func isTrimmed(_ scalar: Unicode.Scalar) -> Bool { unwanted?.contains(scalar) ?? scalar.isPythonSpace }
    var rest = unicodeScalars[...]
    if atStart { rest = rest.drop(while: isTrimmed) }
    if atEnd { while let last = rest.last, isTrimmed(last) { rest.removeLast() } }
    return String(rest)
  }

  /// Where a part begins, in scalars; nil where it is not.
  func position(of part: String) -> Int? {
    let (whole, part) = (Array(unicodeScalars), Array(part.unicodeScalars))
    guard part.count <= whole.count else { return nil }
    return (0...whole.count - part.count).first { whole[$0..<$0 + part.count].elementsEqual(part) }
  }

  func replaced(_ part: String, by other: String, atMost limit: Int?) -> String {
    guard !part.isEmpty else { return self }
    let limit = limit.flatMap { $0 < 0 ? nil : $0 }
    return (parts(by: part, atMost: limit, fromEnd: false) ?? [self]).joined(separator: other)
  }

  /// Python's `split` and `rsplit`: without a separator, at runs of white space.
  ///
  /// - Returns: Nil for an empty separator.
  func parts(by separator: String?, atMost limit: Int?, fromEnd: Bool) -> [String]? {
    if let separator, separator.isEmpty { return nil }
    var scalars = Array(unicodeScalars)
    var mark = separator.map { Array($0.unicodeScalars) }
    if fromEnd {
      scalars.reverse()
      mark?.reverse()
    }
    var parts: [[Unicode.Scalar]] = []
    var start = 0
    var index = 0
    if let mark {
      while index + mark.count <= scalars.count, limit.map({ parts.count < $0 }) ?? true {
        if scalars[index..<index + mark.count].elementsEqual(mark) {
          parts.append(Array(scalars[start..<index]))
          index += mark.count
          start = index
        } else {
          index += 1
        }
      }
      parts.append(Array(scalars[start...]))
    } else {
      while true {
        while index < scalars.count, scalars[index].isPythonSpace { index += 1 }
        if index == scalars.count { break }
        start = index
        if let limit, parts.count == limit {
          var rest = scalars[start...]
          while let last = rest.last, last.isPythonSpace { rest.removeLast() }
          parts.append(Array(rest))
          break
        }
        while index < scalars.count, !scalars[index].isPythonSpace { index += 1 }
        parts.append(Array(scalars[start..<index]))
      }
    }
    func text(_ part: [Unicode.Scalar]) -> String {
      var text = ""
      text.unicodeScalars.append(contentsOf: fromEnd ? part.reversed() : part)
      return text
    }
    return fromEnd ? parts.reversed().map(text) : parts.map(text)
  }

  /// The first letter large, the others small.
  var capitalizedOnce: String {
    guard let first = unicodeScalars.first else { return self }
    return first.properties.titlecaseMapping + String(unicodeScalars.dropFirst()).lowercased()
  }

  /// Each word so.
  var titled: String {
    var result = ""
    var isInWord = false
    for scalar in unicodeScalars {
      let isLetter = scalar.properties.isCased
      result += isInWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
      isInWord = isLetter
    }
    return result
  }
}

extension Unicode.Scalar {
  /// What Python's `str.isspace` calls so.
  package var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}
