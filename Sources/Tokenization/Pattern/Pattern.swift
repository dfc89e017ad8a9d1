/// A regular expression of a tokenizer's file, compiled.
package struct Pattern: Sendable, Equatable {
  /// As it was written.
  package let expression: String
  let program: PatternProgram

  /// - Throws: `PatternError`, which names what is not supported.
  package init(_ expression: String) throws(PatternError) {
    self.expression = expression
    program = try PatternProgram(PatternParser.parse(expression))
  }

  /// The expression that matches this text and nothing else.
  init(literal text: String) throws(PatternError) {
    let signs = #"\.*+?|()[]{}^$"#.unicodeScalars
    var escaped = ""
    for scalar in text.unicodeScalars {
      if signs.contains(scalar) { escaped += "\\" }
      escaped.unicodeScalars.append(scalar)
    }
    try self.init(escaped)
  }

  package static func == (a: Pattern, b: Pattern) -> Bool { a.expression.utf8.elementsEqual(b.expression.utf8) }

  /// The matches in `text`, from left to right, as byte ranges. None lies in another, and an empty one is not where
  /// another ends.
  /// - Parameter steps: How many the matcher may take; by default far more than a text should need.
  /// - Throws: `PatternError` where these do not suffice.
  package func matches(in text: String, steps: Int? = nil) throws(PatternError) -> [Range<Int>] {
    let bytes = Array(text.utf8)
    var matcher = PatternMatcher(program, text: bytes, steps: steps)
    var result: [Range<Int>] = []
    try matcher.forEachMatch(in: 0..<bytes.count) { result.append($0) }
    return result
  }
}

extension PatternMatcher {
  /// The matches in a stretch of the text, from left to right. Where an empty one follows another immediately, the
  /// search goes on a character later: so Oniguruma's iterator does.
  @inline(__always)
  mutating func forEachMatch(in stretch: Range<Int>, _ body: (Range<Int>) -> Void) throws(PatternError) {
    var position = stretch.lowerBound
    var end: Int?
    while position <= stretch.upperBound, let match = try firstMatch(from: position, in: stretch) {
      if match.isEmpty, match.upperBound == end {
        guard position < stretch.upperBound else { return }
        position = text.scalar(at: position).end
      } else {
        position = match.upperBound
        end = position
        body(match)
      }
    }
  }
}
