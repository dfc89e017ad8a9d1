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

  /// The filter of a kind for which Σ mᵢ (aᵢ − bᵢ) + ½ k vᵢ (aᵢ − bᵢ)² is least, bᵢ being what the model that the
  /// statistics are of has taken away already. Directions whose change does not vary (vᵢ = 0) have never been seen, or
  /// too seldom, and stay as they are.
  ///
  /// - Parameters:
  ///   - damping: k, above 0.
  ///   - start: The filter that the site had when the statistics were made; nil for none.
  package func filter(_ kind: FilterKind, damping: Double, from start: Filter? = nil) -> Choice {
    precondition(damping > 0, "a damping of \(damping)")
    let before = start.map { start in (0..<directions).map { 1 - Double(start.factor(of: $0)) } }
    let slopes = sums.indices.map { direction in
      Slope(moments(of: direction), damping, from: before?[direction] ?? 0)
    }
    switch kind {
    case .truncate: return truncation(slopes)
    case .scale:
      let slope = Slope(totalMoments, damping, from: before.map { $0.reduce(0, +) / Double(max(1, directions)) } ?? 0)
      let share = slope.best(in: 0...1)
      return Choice(filter: .scale(Float(1 - share), directions: directions), predictedChange: slope.change(to: share))
    case .select: return choice(slopes) { $0.change(to: 1) < $0.change(to: 0) ? 1 : 0 }
    case .shrink: return choice(slopes) { $0.best(in: 0...1) }
    case .reweight: return choice(slopes) { $0.best(in: -1...1) }
    }
  }

  /// How the loss depends on how much of a direction is taken away, a: m (a − b) + ½ k v (a − b)².
  private struct Slope {
    private let mean: Double
    /// k v.
    private let curvature: Double
    /// b, where the statistics were made.
    let start: Double

    init(_ moments: (mean: Double, variance: Double), _ damping: Double, from start: Double) {
      (mean, curvature, self.start) = (moments.mean, damping * moments.variance, start)
    }

    /// Where nothing is known, nothing is worth a change.
    var isKnown: Bool { curvature > 0 }

    func change(to share: Double) -> Double {
      isKnown ? mean * (share - start) + curvature * (share - start) * (share - start) / 2 : 0
    }

    /// The a for which the loss is least: b − m / (k v), clamped.
    func best(in range: ClosedRange<Double>) -> Double {
      isKnown ? min(max(start - mean / curvature, range.lowerBound), range.upperBound) : start
    }
  }

  private func choice(_ slopes: [Slope], _ share: (Slope) -> Double) -> Choice {
    let shares = slopes.map { $0.isKnown ? share($0) : $0.start }
    return Choice(
      filter: .factors(shares.map { Float(1 - $0) }),
      predictedChange: zip(slopes, shares).reduce(0) { $0 + $1.0.change(to: $1.1) })
  }

  /// The rank r for which dropping directions from it on and keeping those before changes the loss least; the largest of
  /// equal ones.
  private func truncation(_ slopes: [Slope]) -> Choice {
    var change = slopes.reduce(0) { $0 + $1.change(to: 0) }
    var (rank, least) = (directions, change)
    for (direction, slope) in slopes.enumerated().reversed() {
      change += slope.change(to: 1) - slope.change(to: 0)
      if change < least { (rank, least) = (direction, change) }
    }
    return Choice(filter: .truncation(rank: rank), predictedChange: least)
  }
}
