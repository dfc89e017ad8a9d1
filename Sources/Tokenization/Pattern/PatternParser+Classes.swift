/// What stands behind a backslash, and classes in brackets.
extension PatternParser {
  enum Escape { case scalar(Unicode.Scalar), set(ScalarSet), assertion(PatternSyntax.Assertion) }

  /// Behind the backslash.
  mutating func escape(isInClass: Bool = false) throws(PatternError) -> Escape {
    let letter = try takeScalar("an escape")
    if isInClass, let set = Self.setsInClasses[letter] { return .set(set) }
    if let set = Self.sets[letter] { return .set(set) }
    if let scalar = Self.controls[letter] { return .scalar(scalar) }
    if let assertion = Self.assertions[letter] { return .assertion(assertion) }
    switch letter {
    case "p", "P": return .set(try property(negated: letter == "P"))
    case "x" where take("{"):
      return .scalar(try scalar(hexadecimal: try take(upTo: "}", of: "an escape")))
    case "x", "u":
      let start = position
      let longest = letter == "x" ? 2 : 4
      while position - start < longest, let digit = next, digit.properties.isASCIIHexDigit { position += 1 }
      let digits = String(String.UnicodeScalarView(scalars[start..<position]))
      let value = try scalar(hexadecimal: digits)
      // `\x80` is a byte, and `\u12` no scalar.
      guard letter == "x" ? value.isASCII : digits.utf8.count == 4 else {
        throw PatternError(problem: "the escape '\\\(letter)\(digits)'")
      }
      return .scalar(value)
    case let letter where letter.isASCII && (letter.properties.isAlphabetic || letter.properties.numericType != nil):
      throw PatternError(problem: "the escape '\\\(letter)'")
    default: return .scalar(letter)
    }
  }

  private func scalar(hexadecimal digits: String) throws(PatternError) -> Unicode.Scalar {
    guard digits.utf8.count <= 8, let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else {
      throw PatternError(problem: "the escape of '\(digits)', which is no character")
    }
    return scalar
  }

  private static let controls: [Unicode.Scalar: Unicode.Scalar] = [
    "t": "\t", "n": "\n", "r": "\r", "f": "\u{C}", "v": "\u{B}", "a": "\u{7}", "e": "\u{1B}",
  ]
  private static let sets: [Unicode.Scalar: ScalarSet] = [
    "d": .digit, "D": ScalarSet.digit.inverted, "s": .space, "S": ScalarSet.space.inverted, "w": .word,
    "W": ScalarSet.word.inverted, "h": .hexadecimalDigit, "H": ScalarSet.hexadecimalDigit.inverted,
  ]
  private static let setsInClasses: [Unicode.Scalar: ScalarSet] = [
    "w": .wordInClass, "W": ScalarSet.wordInClass.inverted,
  ]
  private static let assertions: [Unicode.Scalar: PatternSyntax.Assertion] = [
    "A": .textStart, "z": .textEnd, "Z": .lastLineEnd, "b": .wordBoundary(negated: false),
    "B": .wordBoundary(negated: true),
  ]

  private mutating func property(negated: Bool) throws(PatternError) -> ScalarSet {
    guard take("{") else { throw PatternError(problem: "a property without braces") }
    let isInverted = take("^")
    let name = try take(upTo: "}", of: "a property")
    guard let set = ScalarSet(property: name) else { throw PatternError(problem: "the property \\p{\(name)}") }
    return negated != isInverted ? set.inverted : set
  }

  /// Behind the opening bracket.
  mutating func characterClass() throws(PatternError) -> ScalarSet {
    let isNegated = take("^")
    if next == "]" { throw PatternError(problem: "a class that is empty or begins with ']'") }
    // What `&&` has cut out so far, and what was read since.
    var intersection: ScalarSet?
    var ranges: [ClosedRange<UInt32>] = []
    var isEmpty = true
    func combined() -> ScalarSet { intersection.map { $0.intersection(ScalarSet(ranges)) } ?? ScalarSet(ranges) }
    while !take("]") {
      if take("&&") {
        if isEmpty { throw PatternError(problem: "a '&&' with nothing before it") }
        intersection = combined()
        (ranges, isEmpty) = ([], true)
        continue
      }
      defer { isEmpty = false }
      if take("[") {
        if next == ":" { throw PatternError(problem: "a bracket '[:'") }
        ranges += try nested { parser throws(PatternError) in try parser.characterClass() }.ranges
      } else {
        ranges += try folded(try classMember(isFirst: isEmpty && intersection == nil)).ranges
      }
    }
    if isEmpty { throw PatternError(problem: "a '&&' with nothing behind it") }
    return isNegated ? combined().inverted : combined()
  }

  /// A scalar, a range of scalars, or an escape with its own set.
  private mutating func classMember(isFirst: Bool) throws(PatternError) -> ScalarSet {
    let isHyphen = next == "-"
    let lower: Unicode.Scalar
    switch try classAtom() {
    case .set(let set): return set
    case .scalar(let scalar): lower = scalar
    case .assertion: throw PatternError(problem: "an anchor in a class")
    }
    let startsRange = lies("-") && !lies("-]")
    if isHyphen, startsRange || !isFirst && next != "]" {
      throw PatternError(problem: "a '-' within a class that is not escaped")
    }
    guard startsRange else { return ScalarSet(lower) }
    position += 1
    guard next != "[", case .scalar(let upper) = try classAtom(), lower <= upper else {
      throw PatternError(problem: "a range in a class without a higher end")
    }
    return ScalarSet([lower.value...upper.value])
  }

  private mutating func classAtom() throws(PatternError) -> Escape {
    let scalar = try takeScalar("a class")
    return scalar == "\\" ? try escape(isInClass: true) : .scalar(scalar)
  }
}
