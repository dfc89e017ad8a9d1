/// Puts a text together token by token, at a cost that does not grow with the text.
///
/// What a token adds depends on those before it: a first space is dropped, a character may be spread over several
/// tokens. So the last few are decoded with it and without it, and the difference is what it adds. All comparisons are of
/// bytes: a combining mark changes the character before it, not the text.
package struct StreamingDecoder {
  private let tokenizer: Tokenizer
  /// The tokens whose text was given out last, and those since.
  private var window: [Int32]
  /// How many of the window's tokens are given out.
  private var shownCount: Int

  /// More tokens than a character has bytes: what is not a character by then will not become one.
  private static let longestCharacter = 8

  /// - Parameter prompt: The tokens that the text goes on from.
  package init(_ tokenizer: Tokenizer, after prompt: [Int32]) {
    self.tokenizer = tokenizer
    window = prompt
    shownCount = prompt.count
  }

  /// What a token adds to the text; nothing as long as it ends within a character.
  package mutating func append(_ token: Int32) -> String {
    window.append(token)
    return next(isLast: window.count - shownCount > Self.longestCharacter)
  }

  /// What is left when no token follows, whole character or not.
  package mutating func finish() -> String { next(isLast: true) }

  private mutating func next(isLast: Bool) -> String {
    let before = text(window[..<shownCount])
    let after = text(window[...])
    let isWhole = after.utf8.starts(with: before.utf8) && after.unicodeScalars.last != "\u{FFFD}"
    guard isWhole || isLast else { return "" }
    let added =
      after.utf8.starts(with: before.utf8)
      ? String(decoding: after.utf8.dropFirst(before.utf8.count), as: UTF8.self) : text(window[shownCount...])
    guard !added.isEmpty else { return "" }
    window.removeFirst(shownCount)
    shownCount = window.count
    return added
  }

  private func text(_ tokens: ArraySlice<Int32>) -> String { tokenizer.decode(tokens, skipSpecialTokens: true) }
}
