/// Regular expressions that match parts of a text only; what lies between two matches is a word as well.
enum PartialPattern: String, CaseIterable, Sendable {
  /// All punctuation but the backtick: the first cut of llama.cpp's pre-tokenizer "default".
  case punctuation = #"[\p{P}$+<=>^~|]+"#
  /// The last cut of that pre-tokenizer.
  case threeDigits = "[0-9][0-9][0-9]"
  /// The cuts of DeepSeek Coder.
  case newline = "[\r\n]"
  case spacedLetters = #"\s?\p{L}+"#
  case spacedPunctuation = #"\s?\p{P}+"#
  case ideographs = "[一-龥ࠀ-一가-퟿]+"
  /// `ideographs` as llama.cpp has it, which treats every white space as an ASCII one.
  case ideographsWithoutSpaces = #"(?:(?!\s)[一-龥ࠀ-一가-퟿])+"#

  /// The end of the match that starts at `start`, or of what lies before the next match.
  func matchEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    if let match = match(in: text, at: start, to: end) { return match }
    var position = text.scalar(at: start).end
    while position < end, match(in: text, at: position, to: end) == nil { position = text.scalar(at: position).end }
    return position
  }

  private func match(in text: [UInt8], at start: Int, to end: Int) -> Int? {
    switch self {
    case .punctuation:
      return Self.run(in: text, from: start, to: end) { scalar in
        scalar.isPunctuation || scalar.isASCII && "$+<=>^~|".unicodeScalars.contains(scalar)
      }
    case .threeDigits:
      let isMatch = start + 3 <= end && text[start..<start + 3].allSatisfy { (0x30...0x39).contains($0) }
      return isMatch ? start + 3 : nil
    case .newline: return text[start] == UInt8(ascii: "\r") || text[start] == UInt8(ascii: "\n") ? start + 1 : nil
    case .spacedLetters: return Self.spacedRun(in: text, from: start, to: end) { CharacterClass($0) == .letter }
    case .spacedPunctuation: return Self.spacedRun(in: text, from: start, to: end, \.isPunctuation)
    case .ideographs: return Self.run(in: text, from: start, to: end, of: Self.isIdeograph)
    case .ideographsWithoutSpaces:
      return Self.run(in: text, from: start, to: end) { Self.isIdeograph($0) && CharacterClass($0) != .space }
    }
  }

  private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
    (0x800...0x9FA5).contains(scalar.value) || (0xAC00...0xD7FF).contains(scalar.value)
  }

  private static func run(
    in text: [UInt8], from start: Int, to end: Int, of matches: (Unicode.Scalar) -> Bool
  ) -> Int? {
    var position = start
    while position < end {
      let (scalar, next) = text.scalar(at: position)
      guard matches(scalar) else { break }
      position = next
    }
    return position > start ? position : nil
  }

  /// Behind a white space, if there is one.
  private static func spacedRun(
    in text: [UInt8], from start: Int, to end: Int, _ matches: (Unicode.Scalar) -> Bool
  ) -> Int? {
    let (first, second) = text.scalar(at: start)
    return run(in: text, from: CharacterClass(first) == .space ? second : start, to: end, of: matches)
  }
}
