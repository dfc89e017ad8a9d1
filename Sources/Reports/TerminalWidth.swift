/// How many columns of a terminal a text takes: two for East Asian wide characters and emoji, none for what combines
/// with the character before it (Unicode Standard Annex 11).
package func terminalWidth(_ text: some StringProtocol) -> Int { text.reduce(0) { $0 + terminalWidth($1) } }

private func terminalWidth(_ character: Character) -> Int {
  let scalars = character.unicodeScalars
  // An emoji made of a plain character and a selector, or of several, takes the place of one.
  if scalars.contains("\u{FE0F}") { return 2 }
  return scalars.map(width).max() ?? 0
}

private func width(_ scalar: Unicode.Scalar) -> Int {
  let properties = scalar.properties
  switch properties.generalCategory {
  case .nonspacingMark, .enclosingMark, .format, .control: return 0
  default: break
  }
  if properties.isEmojiPresentation { return 2 }
  return wide.contains { $0.contains(scalar.value) } ? 2 : 1
}

/// The blocks of wide and full-width characters; within them, the few narrow ones do not matter.
private let wide: [ClosedRange<UInt32>] = [
  0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F,
  0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD,
]

/// A text that takes no more than so many columns: what is in its middle gives way to an ellipsis, because names of
/// files differ at their beginnings and their ends.
package func shortened(_ text: String, to columns: Int) -> String {
  guard terminalWidth(text) > columns else { return text }
  guard columns > 1 else { return columns == 1 ? "…" : "" }
  func taken(_ characters: some Sequence<Character>, _ columns: Int) -> [Character] {
    var left = columns
    var result: [Character] = []
    for character in characters {
      left -= terminalWidth(character)
      guard left >= 0 else { break }
      result.append(character)
    }
    return result
  }
  let tail = taken(text.reversed(), (columns - 1) / 2)
  let head = taken(text, columns - 1 - terminalWidth(String(tail.reversed())))
  return String(head) + "…" + String(tail.reversed())
}
