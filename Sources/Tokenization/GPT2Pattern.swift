/// GPT-2's word pattern, matched by hand.
///
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (openai/gpt-2, src/encoder.py). Its
/// matches leave no gap, so a text is cut into words by taking one match after another.
enum GPT2Pattern {
  /// The end of the match that starts at `start`; `end` bounds the text the pattern sees.
  static func matchEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    if text[start] == UInt8(ascii: "'"), let contraction = contractionEnd(in: text, from: start, to: end) {
      return contraction
    }
    let (first, second) = text.scalar(at: start)
    let firstClass = CharacterClass(first)
    if firstClass != .space { return runEnd(of: firstClass, in: text, from: second, to: end) }
    if first == " ", second < end {
      let (next, third) = text.scalar(at: second)
      let nextClass = CharacterClass(next)
      if nextClass != .space { return runEnd(of: nextClass, in: text, from: third, to: end) }
    }
    return spaceEnd(in: text, from: start, to: end)
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`
  private static func contractionEnd(in text: [UInt8], from start: Int, to end: Int) -> Int? {
    guard start + 1 < end else { return nil }
    switch text[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return start + 2 < end && text[start + 2] == UInt8(ascii: "e") ? start + 3 : nil
    case UInt8(ascii: "l"):
      return start + 2 < end && text[start + 2] == UInt8(ascii: "l") ? start + 3 : nil
    default: return nil
    }
  }

  private static func runEnd(of runClass: CharacterClass, in text: [UInt8], from start: Int, to end: Int) -> Int {
    var position = start
    while position < end {
      let (scalar, next) = text.scalar(at: position)
      guard CharacterClass(scalar) == runClass else { break }
      position = next
    }
    return position
  }

  /// `\s+(?!\S)|\s+`: white space, except that the last of several is left to the word that follows.
  private static func spaceEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
    var last = start
    var position = start
    while position < end {
      let (scalar, next) = text.scalar(at: position)
      guard CharacterClass(scalar) == .space else { return last > start ? last : position }
      last = position
      position = next
    }
    return position
  }
}
