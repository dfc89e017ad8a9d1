package import Inference
package import Wording

/// How a text is cut into windows and which of their tokens are scored. Perplexities of different conventions do not
/// compare.
package enum Convention: Sendable, Equatable {
  /// Back-to-back windows of `context` tokens, the incomplete tail dropped; every token of a window but the first is
  /// scored.
  case windows
  /// Windows of `context` tokens that advance by `stride`; each token is scored once, in the first window that holds
  /// it.
  case strided(stride: Int)
  /// Back-to-back windows whose first token is replaced by BOS where the tokenizer uses one; the second half is scored.
  case llamaCpp

  package init?(name: String, stride: Int) {
    switch name {
    case "windows": self = .windows
    case "strided": self = .strided(stride: stride)
    case "llama.cpp": self = .llamaCpp
    default: return nil
    }
  }

  package static let names = ["windows", "strided", "llama.cpp"]

  package var name: String {
    switch self {
    case .windows: "windows"
    case .strided: "strided"
    case .llamaCpp: "llama.cpp"
    }
  }

  package var stride: Int? {
    if case .strided(let stride) = self { stride } else { nil }
  }

  /// - Parameter beginning: The token that the tokenizer puts before every text, if any.
  package func windows(
    of corpus: Corpus, context: Int, beginning: Int32?
  ) throws(InputError) -> [WindowBatch.Window] {
    let result =
      switch self {
      case .windows:
        Self.backToBack(corpus.tokens, context: context).map { WindowBatch.Window(tokens: $0, firstScored: 1) }
      case .strided(let stride): Self.strided(corpus.tokens, context: context, stride: stride)
      case .llamaCpp:
        Self.backToBack(corpus.tokens, context: context).map { tokens in
          var tokens = tokens
          if let beginning { tokens[0] = beginning }
          return WindowBatch.Window(tokens: tokens, firstScored: context / 2 + 1)
        }
      }
    guard result.contains(where: { $0.scoredCount > 0 }) else {
      throw InputError(
        "\(corpus.path): \(corpus.tokens.count) tokens are too few for one window of \(context); "
          + "give more text or a smaller --context")
    }
    return result
  }

  private static func backToBack(_ tokens: [Int32], context: Int) -> [[Int32]] {
    Swift.stride(from: 0, through: tokens.count - context, by: context).map { Array(tokens[$0..<$0 + context]) }
  }

  private static func strided(_ tokens: [Int32], context: Int, stride: Int) -> [WindowBatch.Window] {
    var result: [WindowBatch.Window] = []
    var scoredUpTo = 0
    for begin in Swift.stride(from: 0, to: tokens.count, by: stride) {
      let end = min(begin + context, tokens.count)
      // A token that no earlier window scored, if another token of this window stands before it.
      let firstScored = max(1, scoredUpTo - begin)
      result.append(WindowBatch.Window(tokens: Array(tokens[begin..<end]), firstScored: firstScored))
      scoredUpTo = end
      if end == tokens.count { break }
    }
    return result
  }
}
