/// The windows of a search text in a fixed shuffled order, divided into rounds: after each round a trial that cannot be
/// accepted any more is stopped.
///
/// Rounds end at an eighth, a quarter, a half, three quarters and all of the windows. Shuffling spreads every corpus over all rounds.
package struct WindowRounds: Sendable {
  /// Indices of windows, each once; ascending within a round.
  package let rounds: [[Int]]

  static let fewestWindows = 8

  /// - Parameter exhaustive: One round of all windows.
  package init(count: Int, exhaustive: Bool) {
    guard !exhaustive, count >= 2 * Self.fewestWindows else {
      rounds = [Array(0..<count)]
      return
    }
    var order = Array(0..<count)
    var generator = SplitMix64(seed: 0x1A5E_12)
    order.shuffle(using: &generator)
    let ends = Set([count / 8, count / 4, count / 2, count * 3 / 4].filter { $0 >= Self.fewestWindows } + [count])
      .sorted()
    rounds = zip([0] + ends, ends).map { order[$0..<$1].sorted() }
  }
}

/// A small generator with a fixed sequence on every machine (Steele, Lea & Flood 2014).
package struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
