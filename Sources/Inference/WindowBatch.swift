internal import Tensors

/// Token sequences that are run each on its own, side by side in one matrix of states.
package struct WindowBatch: Sendable {
  package struct Window: Sendable, Equatable {
    package let tokens: [Int32]
    /// Tokens from this index on are scored, each from the tokens before it in the window; at least 1.
    package let firstScored: Int

    package init(tokens: [Int32], firstScored: Int) {
      precondition(firstScored >= 1 && !tokens.isEmpty, "the first token of a window cannot be predicted")
      self.tokens = tokens
      self.firstScored = firstScored
    }

    package var scoredCount: Int { max(0, tokens.count - firstScored) }
  }

  package let windows: [Window]
  /// Window i's rows in the matrix of states.
  package let rows: [Range<Int>]
  package let tokens: [Int32]

  package init(_ windows: [Window]) {
    self.windows = windows
    var start = 0
    rows = windows.map { window in
      defer { start += window.tokens.count }
      return start..<start + window.tokens.count
    }
    tokens = windows.flatMap(\.tokens)
  }

  package var longest: Int { windows.map(\.tokens.count).max() ?? 0 }

  /// For every scored token, in order, the row whose state predicts it, and the token.
  package var predictions: (rows: [Int32], targets: [Int32]) {
    var predictors: [Int32] = []
    var targets: [Int32] = []
    for (window, range) in zip(windows, rows) where window.scoredCount > 0 {
      for index in window.firstScored..<window.tokens.count {
        predictors.append(Int32(range.lowerBound + index - 1))
        targets.append(window.tokens[index])
      }
    }
    return (predictors, targets)
  }

  /// The rows of neighbouring windows, and each one's, counted from the first of them.
  func rows(of group: Range<Int>) -> (all: Range<Int>, windows: [Range<Int>]) {
    let windows = rows[group]
    let start = windows.first?.lowerBound ?? 0
    return (
      start..<(windows.last?.upperBound ?? start), windows.map { $0.lowerBound - start..<$0.upperBound - start }
    )
  }

  /// Neighbouring windows in groups of about the same number of tokens, `size` or fewer if windows are that short: what
  /// workers take at once. No window's result depends on the others of its group.
  func groups(ofTokens size: Int) -> [Range<Int>] {
    let count = Parallelism.shareCount(of: tokens.count, atMost: size)
    var result: [Range<Int>] = []
    var start = 0
    for index in windows.indices
    where index == windows.count - 1
      || rows[index].upperBound * count / tokens.count > rows[start].lowerBound * count / tokens.count
    {
      result.append(start..<index + 1)
      start = index + 1
    }
    return result
  }
}
