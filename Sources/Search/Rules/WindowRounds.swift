internal import Tensors

/// The windows of a search text in a fixed shuffled order, divided into rounds: after each round a trial that cannot be
/// accepted any more is stopped.
///
/// Rounds end at a sixteenth, an eighth, a quarter, a half, three quarters and all of the windows. Shuffling spreads
/// every corpus over all rounds.
package struct WindowRounds: Sendable {
  /// Indices of windows, each once; ascending within a round.
  package let rounds: [[Int]]

  private init(_ rounds: [[Int]]) { self.rounds = rounds }

  /// The windows of the first rounds, an eighth of all at most, and those rounds as they are over these windows alone;
  /// nil where no trial is looked at that early.
  package var early: (windows: Set<Int>, rounds: WindowRounds)? {
    let count = rounds.reduce(0) { $0 + $1.count }
    var end = 0
    let first = rounds.prefix { round in
      end += round.count
      return end <= count / 8
    }
    guard !first.isEmpty else { return nil }
    let windows = first.joined().sorted()
    let places = Dictionary(uniqueKeysWithValues: zip(windows, 0...))
    return (Set(windows), WindowRounds(first.map { round in round.compactMap { places[$0] } }))
  }

  static let fewestWindows = 6

  /// - Parameter exhaustive: One round of all windows.
  package init(count: Int, exhaustive: Bool) {
    guard !exhaustive, count >= 2 * Self.fewestWindows else {
      rounds = [Array(0..<count)]
      return
    }
    var order = Array(0..<count)
    var generator = SplitMix64(seed: 0x1A5E_12)
    order.shuffle(using: &generator)
    let ends = Set(
      [count / 16, count / 8, count / 4, count / 2, count * 3 / 4].filter { $0 >= Self.fewestWindows } + [count]
    )
    .sorted()
    rounds = zip([0] + ends, ends).map { order[$0..<$1].sorted() }
  }
}
