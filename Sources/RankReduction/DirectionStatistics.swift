internal import Tensors

/// What dropping each singular direction of a site's matrix changes in the loss, summed up over windows of text: all
/// that closed formulas for filters need, a few numbers for each direction, however many windows there are.
///
/// cᵢ(window) is the first-order change of the window's summed loss, in nats, if direction i is dropped; C = Σᵢ cᵢ
/// that if all of them are. Taking a share aᵢ = 1 − fᵢ of each direction away changes the mean loss of a window by
/// about Σᵢ mᵢ aᵢ + ½ k vᵢ aᵢ², m and v being mean and variance of cᵢ over windows. For k = 1 that is the information
/// matrix equality (the curvature of a likelihood is the variance of its slope) with directions taken as independent;
/// a larger k, the damping, allows for their not being so.
///
/// Sums are float64 and taken window by window: the same windows in the same order give the same bits, however they
/// were grouped. Statistics of several folds add up as their sums do, from the first fold to the last; that may
/// differ in the last bits from taking all windows one by one.
package struct DirectionStatistics: Sendable, Equatable {
  /// Windows taken, those without any token at the site among them.
  package private(set) var windows: Int
  /// Σ cᵢ and Σ cᵢ² over windows, by direction.
  package private(set) var sums: [Double]
  package private(set) var squares: [Double]
  /// Σ C and Σ C² over windows.
  package private(set) var totalSum: Double
  package private(set) var totalSquare: Double

  /// No windows yet.
  package init(directions: Int) {
    windows = 0
    sums = Array(repeating: 0, count: directions)
    squares = sums
    (totalSum, totalSquare) = (0, 0)
  }

  /// Statistics that were written down; nil where the numbers do not belong together, as in a damaged file.
  package init?(windows: Int, sums: [Double], squares: [Double], totalSum: Double, totalSquare: Double) {
    guard windows >= 0, sums.count == squares.count, (sums + [totalSum]).allSatisfy(\.isFinite),
      (squares + [totalSquare]).allSatisfy({ $0.isFinite && $0 >= 0 })
    else { return nil }
    self.windows = windows
    self.sums = sums
    self.squares = squares
    (self.totalSum, self.totalSquare) = (totalSum, totalSquare)
  }

  package var directions: Int { sums.count }

  /// Takes a window's cᵢ.
  package mutating func take(_ changes: some RandomAccessCollection<Double>) {
    precondition(changes.count == directions, "one change for each direction")
    windows += 1
    var total = 0.0
    for (direction, change) in changes.enumerated() {
      sums[direction] += change
      squares[direction] += change * change
      total += change
    }
    totalSum += total
    totalSquare += total * total
  }

  /// Takes windows in which no token came to the site: their changes are 0.
  package mutating func takeEmptyWindows(_ count: Int) { windows += count }

  /// Those of both folds' windows.
  package static func + (a: DirectionStatistics, b: DirectionStatistics) -> DirectionStatistics {
    precondition(a.directions == b.directions, "statistics of different sites")
    var result = a
    result.windows += b.windows
    for direction in b.sums.indices {
      result.sums[direction] += b.sums[direction]
      result.squares[direction] += b.squares[direction]
    }
    result.totalSum += b.totalSum
    result.totalSquare += b.totalSquare
    return result
  }

  /// Mean over windows and variance (denominator: one less than windows) of a change. A variance that rounding may
  /// have made is 0, and so is that of a single window.
  private func moments(_ sum: Double, _ square: Double) -> (mean: Double, variance: Double) {
    guard windows > 1 else { return (windows == 0 ? 0 : sum, 0) }
    let count = Double(windows)
    let variance = (square - sum * sum / count) / (count - 1)
    return (sum / count, variance > count * .ulpOfOne * square / (count - 1) ? variance : 0)
  }

  /// mᵢ and vᵢ, in nats and their square.
  package func moments(of direction: Int) -> (mean: Double, variance: Double) {
    moments(sums[direction], squares[direction])
  }

  /// Mean and variance of C.
  package var totalMoments: (mean: Double, variance: Double) { moments(totalSum, totalSquare) }
}

extension DirectionStatistics {
  /// A filter, and the change of a window's loss that it is chosen by, in nats: never above 0.
  package struct Choice: Sendable, Equatable {
    package let filter: Filter
    package let predictedChange: Double
  }

  /// The filter of a kind for which Σ mᵢ aᵢ + ½ k vᵢ aᵢ² is least. Directions whose change does not vary (vᵢ = 0)
  /// have never been seen, or too seldom, and stay as they are.
  ///
  /// - Parameter damping: k, above 0.
  package func filter(_ kind: FilterKind, damping: Double) -> Choice {
    precondition(damping > 0, "a damping of \(damping)")
    switch kind {
    case .truncate: return truncation(damping)
    case .scale:
      let share = Share(totalMoments, damping, in: 0...1)
      return Choice(filter: .scale(Float(1 - share.share), directions: directions), predictedChange: share.change)
    case .select:
      return choice { moments in
        let dropped = moments.mean + damping * moments.variance / 2
        return moments.variance > 0 && dropped < 0 ? Share(share: 1, change: dropped) : Share(share: 0, change: 0)
      }
    case .shrink: return choice { Share($0, damping, in: 0...1) }
    case .reweight: return choice { Share($0, damping, in: -1...1) }
    }
  }

  /// How much of a direction is taken away, a, and m a + ½ k v a².
  private struct Share {
    let share: Double
    let change: Double

    init(share: Double, change: Double) { (self.share, self.change) = (share, change) }

    /// a = −m / (k v), clamped.
    init(_ moments: (mean: Double, variance: Double), _ damping: Double, in range: ClosedRange<Double>) {
      let curvature = damping * moments.variance
      guard curvature > 0 else {
        (share, change) = (0, 0)
        return
      }
      share = min(max(-moments.mean / curvature, range.lowerBound), range.upperBound)
      change = moments.mean * share + curvature * share * share / 2
    }
  }

  private func choice(_ share: ((mean: Double, variance: Double)) -> Share) -> Choice {
    let shares = sums.indices.map { share(moments(of: $0)) }
    return Choice(
      filter: .factors(shares.map { Float(1 - $0.share) }), predictedChange: shares.reduce(0) { $0 + $1.change })
  }

  /// The rank r with the least Σ_{i ≥ r} mᵢ + ½ k vᵢ; the largest of equal ones.
  private func truncation(_ damping: Double) -> Choice {
    var (rank, least, change) = (directions, 0.0, 0.0)
    for direction in sums.indices.reversed() {
      let moments = moments(of: direction)
      change += moments.mean + damping * moments.variance / 2
      if change < least { (rank, least) = (direction, change) }
    }
    return Choice(filter: .truncation(rank: rank), predictedChange: least)
  }
}
