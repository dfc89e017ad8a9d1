/// Reads a regular expression as Oniguruma does, from which Hugging Face tokenizers has its matches.
///
/// The part of its language that tokenizers use: scalars and escapes, classes with ranges, properties and `&&`,
/// groups, alternatives, repeats of all three kinds, looks ahead, looks behind at one scalar, and anchors. Anything
/// else is an error that names it.
struct PatternParser {
  /// Several times what any tokenizer has; these bound what a hostile file can make of one expression.
  static let longestExpression = 4096
  static let deepestNesting = 32
  static let largestCount = 1000

  let scalars: [Unicode.Scalar]
  var position = 0
  private var depth = 0
  private(set) var foldsCase = false

  static func parse(_ expression: String) throws(PatternError) -> PatternSyntax {
    var parser = PatternParser(scalars: Array(expression.unicodeScalars))
    guard parser.scalars.count <= longestExpression else {
      throw PatternError(problem: "more than \(longestExpression) characters")
    }
    let syntax = try parser.alternatives()
    guard parser.next == nil else { throw PatternError(problem: "a ')' without its '('") }
    return syntax
  }

  private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

  // MARK: Reading

  var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  func lies(_ text: String, ahead: Int = 0) -> Bool {
    scalars.dropFirst(position + ahead).starts(with: text.unicodeScalars)
  }

  mutating func take(_ text: String) -> Bool {
    guard lies(text) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  mutating func takeScalar(_ what: String) throws(PatternError) -> Unicode.Scalar {
    guard let scalar = next else { throw PatternError(problem: "\(what) that has no end") }
    position += 1
    return scalar
  }

  /// What stands before `end`, which is taken as well.
  mutating func take(upTo end: Unicode.Scalar, of what: String) throws(PatternError) -> String {
    var text = String.UnicodeScalarView()
    while true {
      let scalar = try takeScalar(what)
      if scalar == end { return String(text) }
      text.append(scalar)
    }
  }

  mutating func nested<Value>(_ body: (inout Self) throws(PatternError) -> Value) throws(PatternError) -> Value {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepestNesting else {
      throw PatternError(problem: "more than \(Self.deepestNesting) groups within groups")
    }
    return try body(&self)
  }

  // MARK: Alternatives, sequences, groups

  private mutating func alternatives() throws(PatternError) -> PatternSyntax {
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return .choosing(branches)
  }

  private mutating func sequence() throws(PatternError) -> PatternSyntax {
    var parts: [PatternSyntax] = []
    while let scalar = next, scalar != "|", scalar != ")" {
      if foldsCase { try refuseLigature() }
      let part = try atom()
      parts.append(try repeats(of: part))
    }
    return .joining(parts)
  }

  private mutating func atom() throws(PatternError) -> PatternSyntax {
    switch try takeScalar("a pattern") {
    case "(": return try nested { parser throws(PatternError) in try parser.group() }
    case "[": return .set(try nested { parser throws(PatternError) in try parser.characterClass() })
    case ".": return .set(ScalarSet.newline.inverted)
    case "^": return .assertion(.lineStart)
    case "$": return .assertion(.lineEnd)
    case "\\":
      switch try escape() {
      case .scalar(let scalar): return .set(try folded(ScalarSet(scalar)))
      case .set(let set): return .set(try folded(set))
      case .assertion(let assertion): return .assertion(assertion)
      }
    case let sign where "*+?".unicodeScalars.contains(sign):
      throw PatternError(problem: "a '\(sign)' with nothing to repeat")
    case let scalar: return .set(try folded(ScalarSet(scalar)))
    }
  }

  /// Behind the opening parenthesis.
  private mutating func group() throws(PatternError) -> PatternSyntax {
    let outer = foldsCase
    defer { foldsCase = outer }
    let kind = Self.groupKinds.first { take($0) } ?? ""
    if kind.isEmpty, next == "?" {
      let start = String(String.UnicodeScalarView(scalars[position...].prefix(3)))
      throw PatternError(problem: "a group that begins with '(\(start)'")
    }
    foldsCase = kind == "?i:" || foldsCase && kind != "?-i:"
    let body = try alternatives()
    guard take(")") else { throw PatternError(problem: "a '(' without its ')'") }
    switch kind {
    case "?=", "?!": return .lookAhead(body, negated: kind == "?!")
    case "?<=", "?<!": return try Self.lookBehind(body, negated: kind == "?<!")
    case "?>": return .atomic(body)
    default: return body
    }
  }

  private static let groupKinds = ["?:", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?-i:"]

  private static func lookBehind(_ body: PatternSyntax, negated: Bool) throws(PatternError) -> PatternSyntax {
    guard case .set(let set) = body else { throw PatternError(problem: "a look behind at more than one character") }
    return .assertion(.behind(set, negated: negated))
  }

  // MARK: Repeats

  private mutating func repeats(of part: PatternSyntax) throws(PatternError) -> PatternSyntax {
    var (minimum, maximum) = (0, Int?.none)
    var isInterval = false
    if take("*") {
    } else if take("+") {
      minimum = 1
    } else if take("?") {
      maximum = 1
    } else if let bounds = try interval() {
      (minimum, maximum) = bounds
      isInterval = true
    } else {
      return part
    }
    var preference = PatternSyntax.Preference.greedy
    if take("?") {
      guard !isInterval || minimum != maximum else { throw PatternError(problem: "a count followed by '?'") }
      preference = .lazy
    } else if take("+") {
      guard !isInterval else { throw PatternError(problem: "a count followed by '+'") }
      preference = .possessive
    }
    let isRepeated = next.map { "*+?".unicodeScalars.contains($0) } ?? false
    if try isRepeated ? true : isAtInterval() { throw PatternError(problem: "a repeat of a repeat") }
    switch part {
    case .assertion, .lookAhead: throw PatternError(problem: "a repeat of a condition")
    default: break
    }
    if maximum == nil, part.matchesEmpty { throw PatternError(problem: "an endless repeat of what may be empty") }
    return .repeated(part, minimum: minimum, maximum: maximum, preference)
  }

  private func isAtInterval() throws(PatternError) -> Bool {
    var ahead = self
    return try ahead.interval() != nil
  }

  /// `{2}`, `{2,}`, `{,3}` or `{2,3}`; nil for a brace that is only a brace.
  private mutating func interval() throws(PatternError) -> (minimum: Int, maximum: Int?)? {
    let start = position
    guard take("{") else { return nil }
    let least = try count()
    let hasComma = take(",")
    let most = hasComma ? try count() : least
    guard take("}"), least != nil || most != nil else {
      position = start
      return nil
    }
    if let most, let least, most < least { throw PatternError(problem: "counts in descending order") }
    return (least ?? 0, most)
  }

  private mutating func count() throws(PatternError) -> Int? {
    var value: Int?
    while let scalar = next, ("0"..."9").contains(scalar) {
      value = 10 * (value ?? 0) + Int(scalar.value - 0x30)
      guard value ?? 0 <= Self.largestCount else { throw PatternError(problem: "a count above \(Self.largestCount)") }
      position += 1
    }
    return value
  }

  // MARK: Letters of either case

  /// The set with the letters of the other case, within `(?i:…)`.
  func folded(_ set: ScalarSet) throws(PatternError) -> ScalarSet {
    guard foldsCase else { return set }
    guard set.isASCII else { throw PatternError(problem: "characters beyond ASCII within '(?i:'") }
    return set.foldingCase
  }

  /// Pairs of letters that a ligature, or ß, is folded to.
  private func refuseLigature() throws(PatternError) {
    for pair in ["ff", "fi", "fl", "ss", "st"]
    where scalars.dropFirst(position).prefix(2).elementsEqual(
      pair.unicodeScalars, by: { $0.properties.lowercaseMapping == String($1) })
    {
      throw PatternError(problem: "'\(pair)' within '(?i:'")
    }
  }
}
