internal import Tensors

/// Windows that are run each on its own, side by side in one matrix of states.
package struct WindowBatch: Sendable {
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

  /// Tokens of the longest text: positions that are used.
  var positions: Int { windows.map(\.positions).max() ?? 0 }

  /// For every scored token, in order, the row whose state predicts it, and the token.
  package var predictions: (rows: [Int32], targets: [Int32]) {
    var predictors: [Int32] = []
    var targets: [Int32] = []
    for (window, range) in zip(windows, rows) {
      predictors += window.predictors.map { Int32(range.lowerBound) + $0 }
      targets += window.targets
    }
    return (predictors, targets)
  }

  /// Neighbouring windows, and the rows of each, counted from the first of them.
  struct Group {
    /// In the matrix of states.
    let all: Range<Int>
    let windows: [(window: Window, rows: Range<Int>)]
  }

  func group(_ range: Range<Int>) -> Group {
    let start = rows[range].first?.lowerBound ?? 0
    return Group(
      all: start..<(rows[range].last?.upperBound ?? start),
      windows: range.map { (windows[$0], rows[$0].lowerBound - start..<rows[$0].upperBound - start) })
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
