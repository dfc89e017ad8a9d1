internal import HeapModule

/// Applies merges to a row of symbols: the lowest rank first, the leftmost of equal ones first.
///
/// A doubly linked list of symbols and a heap of the merges open to them.
///
/// - Complexity: O(n log n) for n symbols.
struct SymbolMerger {
  var symbols: [Int32] = []
  /// The positions of the next and the previous symbol; -1 where there is none.
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var queue = Heap<Candidate>()
  /// In place of a symbol that was merged into the one before it.
  private static let removed: Int32 = -1

  /// Positions are 32-bit numbers.
  static let largestCount = Int(Int32.max)

  /// Leaves in `symbols` what cannot be merged further. There must be no more than `largestCount`.
  mutating func merge(by merges: MergeTable) {
    guard symbols.count > 1 else { return }
    let last = Int32(symbols.count - 1)
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    next.append(contentsOf: 1...last)
    next.append(-1)
    previous.append(contentsOf: -1..<last)
    for position in 0..<last { offer(position, merges) }

    while let candidate = queue.popMin() {
      let position = Int(candidate.position)
      let right = Int(next[position])
      // A candidate is out of date when either symbol has been merged since.
      guard right >= 0, symbols[position] != Self.removed,
        let merge = merges[symbols[position], symbols[right]], merge.rank == candidate.rank
      else { continue }
      symbols[position] = merge.result
      symbols[right] = Self.removed
      next[position] = next[right]
      if next[right] >= 0 { previous[Int(next[right])] = candidate.position }
      if previous[position] >= 0 { offer(previous[position], merges) }
      offer(candidate.position, merges)
    }
    symbols.removeAll { $0 == Self.removed }
  }

  private mutating func offer(_ position: Int32, _ merges: MergeTable) {
    let right = next[Int(position)]
    guard right >= 0, let merge = merges[symbols[Int(position)], symbols[Int(right)]] else { return }
    queue.insert(Candidate(rank: merge.rank, position: position))
  }
}

/// A merge that may be due.
private struct Candidate: Comparable {
  /// Rank and position in one number, so that the lowest number is the next merge.
  private let order: UInt64

  init(rank: UInt32, position: Int32) { order = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: position)) }

  var rank: UInt32 { UInt32(truncatingIfNeeded: order >> 32) }
  var position: Int32 { Int32(truncatingIfNeeded: order) }

  static func < (a: Candidate, b: Candidate) -> Bool { a.order < b.order }
}
