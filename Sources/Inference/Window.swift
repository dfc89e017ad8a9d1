extension WindowBatch {
  /// Tokens that are run together: a text, or several that begin alike, whose common beginning is run once.
  ///
  /// The first `shared` rows are the beginning. Each branch goes on where it ends: it sees the beginning and itself,
  /// and none of the other branches.
  package struct Window: Sendable, Equatable {
    /// By row: the beginning, then branch after branch.
    package let tokens: [Int32]
    /// Rows of the beginning; all of them where there is one text.
    package let shared: Int
    /// The rows of each branch, back to back behind the beginning.
    package let branches: [Range<Int>]
    /// For every scored token, in the order of the texts, the row whose state predicts it; and the token.
    package let predictors: [Int32]
    package let targets: [Int32]
    /// Each text's scored tokens, back to back.
    package let parts: [Range<Int>]
    /// What the caller knows it by, for a metric that asks more of a window than its tokens.
    package let number: Int?

    /// One text.
    ///
    /// - Parameter firstScored: Tokens from this index on are scored, each from those before it; at least 1.
    package init(tokens: [Int32], firstScored: Int) {
      precondition(firstScored >= 1 && !tokens.isEmpty, "the first token of a window cannot be predicted")
      self.tokens = tokens
      shared = tokens.count
      branches = []
      targets = Array(tokens.dropFirst(firstScored))
      predictors = targets.indices.map { Int32(firstScored - 1 + $0) }
      parts = [targets.indices]
      number = nil
    }

    /// One text, of which only some stretches are scored.
    ///
    /// - Parameter scored: Ascending; not the first token.
    package init(tokens: [Int32], scored: [Range<Int>]) {
      precondition(
        scored.allSatisfy { $0.lowerBound >= 1 && $0.upperBound <= tokens.count }, "nothing to score it from")
      self.tokens = tokens
      shared = tokens.count
      branches = []
      targets = scored.flatMap { tokens[$0] }
      predictors = scored.flatMap { $0.map { Int32($0 - 1) } }
      parts = [targets.indices]
      number = nil
    }

    /// A text of which some tokens, or all, are scored.
    package struct Text: Sendable, Equatable {
      package let tokens: [Int32]
      /// Tokens from this index on are scored; at least 1, and one that is there.
      package let firstScored: Int

      package init(tokens: [Int32], firstScored: Int) {
        precondition((1..<tokens.count).contains(firstScored), "nothing to score, or nothing to score it from")
        (self.tokens, self.firstScored) = (tokens, firstScored)
      }
    }

    /// Several texts. What they have in common at their beginning is run once, and their last tokens, which predict
    /// nothing, not at all.
    package init(texts: [Text], number: Int?) {
      precondition(!texts.isEmpty, "no text")
      let runs = texts.map { $0.tokens.dropLast() }
      var beginning = runs[0]
      for run in runs { beginning = beginning.prefix(zip(beginning, run).prefix { $0 == $1 }.count) }
      let shared = beginning.count
      var tokens = Array(beginning)
      var branches: [Range<Int>] = []
      var predictors: [Int32] = []
      var targets: [Int32] = []
      var parts: [Range<Int>] = []
      for (text, run) in zip(texts, runs) {
        let start = tokens.count
        tokens += run[shared...]
        if tokens.count > start { branches.append(start..<tokens.count) }
        let first = targets.count
        for index in text.firstScored..<text.tokens.count {
          predictors.append(Int32(index <= shared ? index - 1 : start + index - 1 - shared))
          targets.append(text.tokens[index])
        }
        parts.append(first..<targets.count)
      }
      (self.tokens, self.shared, self.branches) = (tokens, shared, branches)
      (self.predictors, self.targets, self.parts, self.number) = (predictors, targets, parts, number)
    }

    package var scoredCount: Int { targets.count }

    /// Tokens of its longest text, as far as it is run.
    var positions: Int { shared + longestBranch }

    var longestBranch: Int { branches.map(\.count).max() ?? 0 }
  }
}
