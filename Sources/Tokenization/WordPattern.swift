/// The regular expressions by which byte-level vocabularies cut a text into words, matched by hand.
///
/// Each is recognised by its exact spelling. The matches of most leave no gap, so a text is cut into words by taking
/// one match after another.
enum WordPattern: Equatable, Sendable {
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (openai/gpt-2, src/encoder.py)
  case gpt2
  /// ``ModernPattern``: Llama 3 takes up to three digits at a time, Qwen2 one.
  case modern(ModernPattern)
  case partial(PartialPattern)

  static let llama3 = WordPattern.modern(ModernPattern(longestNumber: 3))
  static let qwen2 = WordPattern.modern(ModernPattern(longestNumber: 1))
  /// Mistral Nemo's, as llama.cpp has it: upper and lower case are distinguished in ASCII only.
  static let tekken = WordPattern.modern(ModernPattern(longestNumber: 1, foldsLongS: false, cutsAtCase: true))

  /// Nil for a regular expression that is not known.
  init?(spelling: String) {
    if let known = Self.spellings.first(where: { $0.spelling.utf8.elementsEqual(spelling.utf8) }) {
      self = known.pattern
    } else if let partial = PartialPattern.allCases.first(where: { $0.rawValue.utf8.elementsEqual(spelling.utf8) }) {
      self = .partial(partial)
    } else {
      return nil
    }
  }

  /// The regular expression.
  var spelling: String {
    if case .partial(let pattern) = self { return pattern.rawValue }
    guard let known = Self.spellings.first(where: { $0.pattern == self }) else {
      preconditionFailure("a pattern without a spelling")
    }
    return known.spelling
  }

  /// Whether the matches are all of a text.
  var matchesAll: Bool { if case .partial = self { false } else { true } }

  private static let spellings: [(spelling: String, pattern: WordPattern)] = [
    (#"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#, .gpt2),
    (#"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#, .gpt2),
    (llama3Start + #"\p{N}{1,3}"# + llama3End, .llama3),
    (llama3Start + #"\p{N}"# + llama3End, .qwen2),
    // OpenAI's cl100k, which gives the matches of Llama 3's.
    (
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#,
      .llama3
    ),
    // llama.cpp's.
    (asciiStart + #"\p{N}{1,3}"# + llama3End, .modern(ModernPattern(longestNumber: 3, foldsLongS: false))),
    (asciiStart + #"\p{N}"# + llama3End, .modern(ModernPattern(longestNumber: 1, foldsLongS: false))),
    (
      #"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+|"#
        + #"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*|"#
        + #"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#, .tekken
    ),
  ]
  private static let llama3Start = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"#
  private static let asciiStart =
    #"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|"#
  private static let llama3End = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// The end of the match that starts at `start`, or of what lies before the next match; `end` bounds the text that the
  /// pattern sees.
  func matchEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    switch self {
    case .gpt2: Self.gpt2MatchEnd(in: text, from: start, to: end)
    case .modern(let pattern): pattern.matchEnd(in: text, from: start, to: end)
    case .partial(let pattern): pattern.matchEnd(in: text, from: start, to: end)
    }
  }

  private static func gpt2MatchEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    if let contraction = text.contractionEnd(from: start, to: end, fold: { $0 }) { return contraction }
    let (first, second) = text.scalar(at: start)
    let firstClass = CharacterClass(first)
    if firstClass != .space { return text.runEnd(of: firstClass, from: second, to: end) }
    if first == " ", second < end {
      let (next, third) = text.scalar(at: second)
      let nextClass = CharacterClass(next)
      if nextClass != .space { return text.runEnd(of: nextClass, from: third, to: end) }
    }
    return text.spaceEnd(from: start, to: end)
  }
}

/// The pattern of Llama 3 (`longestNumber` 3) and Qwen2 (1).
///
/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}`
/// or, continued, `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
struct ModernPattern: Equatable, Sendable {
  let longestNumber: Int
  /// Whether ſ (U+017F), which folds to s, makes a contraction: so in Hugging Face tokenizers, not in llama.cpp.
  var foldsLongS = true
  /// Mistral Nemo's: no contractions, letters end before a capital, and slashes go with the line breaks behind other
  /// characters.
  var cutsAtCase = false

  fileprivate func matchEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    if !cutsAtCase, let contraction = contractionEnd(in: text, from: start, to: end) { return contraction }
    let (first, second) = text.scalar(at: start)
    let firstClass = CharacterClass(first)
    switch firstClass {
    case .letter: return lettersEnd(in: text, from: start, to: end)
    case .number: return numberEnd(in: text, from: second, to: end)
    case .space, .other: break
    }
    let isNewline = first == "\r" || first == "\n"
    if !isNewline, second < end {
      let (next, third) = text.scalar(at: second)
      let nextClass = CharacterClass(next)
      if nextClass == .letter { return lettersEnd(in: text, from: second, to: end) }
      if first == " ", nextClass == .other { return otherEnd(in: text, from: third, to: end) }
    }
    if firstClass == .other { return otherEnd(in: text, from: second, to: end) }
    return text.lastNewlineEnd(from: start, to: end) ?? text.spaceEnd(from: start, to: end)
  }

  private func contractionEnd(in text: [UInt8], from start: Int, to end: Int) -> Int? {
    if let contraction = text.contractionEnd(from: start, to: end, fold: { $0 | 0x20 }) { return contraction }
    let isLongS = foldsLongS && text.contains(Self.longSContraction, at: start) && start + 3 <= end
    return isLongS ? start + 3 : nil
  }

  /// `\p{L}+` from a letter on; cut at case, `U*L+|U+L*`, where U are the letters but a to z and L those but A to Z.
  private func lettersEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    guard cutsAtCase else { return text.runEnd(of: .letter, from: start, to: end) }
    // U*, and the end of the last letter in it that is in L too.
    var position = start
    var lastOfBoth: Int?
    while position < end, !text[position].isLowercase {
      let (scalar, next) = text.scalar(at: position)
      guard CharacterClass(scalar) == .letter else { break }
      position = next
      if !scalar.isASCII { lastOfBoth = next }
    }
    guard position < end, text[position].isLowercase else { return lastOfBoth ?? position }
    while position < end, !text[position].isUppercase {
      let (scalar, next) = text.scalar(at: position)
      guard CharacterClass(scalar) == .letter else { break }
      position = next
    }
    return position
  }

  private static let longSContraction: [UInt8] = Array("'\u{17F}".utf8)

  /// `\p{N}{1,3}` behind its first character.
  private func numberEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    var position = start
    for _ in 1..<longestNumber where position < end {
      let (scalar, next) = text.scalar(at: position)
      guard CharacterClass(scalar) == .number else { break }
      position = next
    }
    return position
  }

  /// `[^\s\p{L}\p{N}]+[\r\n]*` behind its first character.
  private func otherEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    var position = text.runEnd(of: .other, from: start, to: end)
    while position < end, text[position].isNewline || cutsAtCase && text[position] == UInt8(ascii: "/") {
      position += 1
    }
    return position
  }
}

extension UInt8 {
  /// `[\r\n]`
  fileprivate var isNewline: Bool { self == UInt8(ascii: "\r") || self == UInt8(ascii: "\n") }

  /// `[a-z]`
  fileprivate var isLowercase: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }

  /// `[A-Z]`
  fileprivate var isUppercase: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }
}

/// Parts that the patterns share.
extension [UInt8] {
  /// `'s|'t|'re|'ve|'m|'ll|'d`, letters compared as `fold` leaves them.
  fileprivate func contractionEnd(from start: Int, to end: Int, fold: (UInt8) -> UInt8) -> Int? {
    guard self[start] == UInt8(ascii: "'"), start + 1 < end else { return nil }
    let second: UInt8
    switch fold(self[start + 1]) {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"): second = UInt8(ascii: "e")
    case UInt8(ascii: "l"): second = UInt8(ascii: "l")
    default: return nil
    }
    return start + 2 < end && fold(self[start + 2]) == second ? start + 3 : nil
  }

  fileprivate func runEnd(of runClass: CharacterClass, from start: Int, to end: Int) -> Int {
    var position = start
    while position < end {
      let (scalar, next) = scalar(at: position)
      guard CharacterClass(scalar) == runClass else { break }
      position = next
    }
    return position
  }

  /// `\s*[\r\n]+` at a white space: through the last line break of the run.
  fileprivate func lastNewlineEnd(from start: Int, to end: Int) -> Int? {
    var position = start
    var lineEnd: Int?
    while position < end {
      let (scalar, next) = scalar(at: position)
      guard CharacterClass(scalar) == .space else { break }
      if scalar == "\r" || scalar == "\n" { lineEnd = next }
      position = next
    }
    return lineEnd
  }

  /// `\s+(?!\S)|\s+`: white space, except that the last of several is left to the word that follows.
  fileprivate func spaceEnd(from start: Int, to end: Int) -> Int {
    var last = start
    var position = start
    while position < end {
      let (scalar, next) = scalar(at: position)
      guard CharacterClass(scalar) == .space else { return last > start ? last : position }
      last = position
      position = next
    }
    return position
  }
}
