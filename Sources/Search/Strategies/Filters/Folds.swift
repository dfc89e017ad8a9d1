internal import Evaluation

/// The windows of the search text in two folds, so that no filter is judged on windows that made it: every second window of
/// every text makes filters, the others judge them.
struct Folds {
  static let fitting = 0
  static let judging = 1
  static let count = 2

  /// By window of the search text: `fitting` or `judging`.
  let ofWindow: [Int]

  init(_ text: Evaluation) {
    ofWindow = text.ranges.flatMap { range in range.indices.map { ($0 - range.lowerBound) % Self.count } }
  }

  func windows(_ fold: Int) -> [Int] { ofWindow.indices.filter { ofWindow[$0] == fold } }
}
