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
  /// Every token of the text is scored, behind the token that begins one: windows of `context` tokens back to back, the
  /// last one as long as the others. What lm-evaluation-harness calls rolling log-likelihood.
  case rolling

  package init?(name: String, stride: Int) {
    switch name {
    case "windows": self = .windows
    case "strided": self = .strided(stride: stride)
    case "llama.cpp": self = .llamaCpp
    case "rolling": self = .rolling
    default: return nil
    }
  }

  package static let names = ["windows", "strided", "llama.cpp", "rolling"]

  package var name: String {
    switch self {
    case .windows: "windows"
    case .strided: "strided"
    case .llamaCpp: "llama.cpp"
    case .rolling: "rolling"
    }
  }

  package var stride: Int? {
    if case .strided(let stride) = self { stride } else { nil }
  }

  /// Dialogues have windows of their own, whatever the convention.
  ///
  /// - Parameters:
  ///   - beginning: The token that the tokenizer puts before every text, if any.
  ///   - prefix: The token that stands before a text where one must.
  package func windows(
    of corpus: Corpus, context: Int, beginning: Int32?, prefix: Int32?
  ) throws(InputError) -> [WindowBatch.Window] {
    if let documents = corpus.documents {
      let result = documents.flatMap { Self.windows(of: $0, context: context) }
      guard !result.isEmpty else { throw InputError("\(corpus.path): no token of the dialogues can be scored") }
      return result
    }
    let result =
      switch self {
      case .rolling: try Self.rolling(corpus, context: context, prefix: prefix)
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

  /// A document in pieces of `context` tokens, those with something to score.
  private static func windows(of document: ScoredDocument, context: Int) -> [WindowBatch.Window] {
    Swift.stride(from: 0, to: document.tokens.count, by: context).compactMap { start in
      let piece = start..<min(start + context, document.tokens.count)
      let scored = document.scored.map { $0.clamped(to: piece.dropFirst().startIndex..<piece.upperBound) }
        .filter { !$0.isEmpty }
      guard !scored.isEmpty else { return nil }
      return WindowBatch.Window(
        tokens: Array(document.tokens[piece]), scored: scored.map { $0.lowerBound - start..<$0.upperBound - start })
    }
  }

  private static func rolling(
    _ corpus: Corpus, context: Int, prefix: Int32?
  ) throws(InputError) -> [WindowBatch.Window] {
    guard let prefix else {
      throw InputError("the convention rolling needs a token that begins a text, and this tokenizer names none")
    }
    let tokens = [prefix] + corpus.tokens
    return Swift.stride(from: 1, to: tokens.count, by: context).map { first in
      let end = min(first + context, tokens.count)
      // As many before the last tokens as there is room for.
      let start = max(0, end - 1 - context)
      return WindowBatch.Window(
        texts: [.init(tokens: Array(tokens[start..<end]), firstScored: first - start)], number: nil)
    }
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
