import RankReduction
import Tensors
import Testing

/// Filters from statistics, against a search over the shares themselves.
@Suite struct DirectionStatisticsTests {
  /// By window, by direction: means and spreads of all sizes and signs, a direction without effect, one whose effect
  /// does not vary.
  private static let changes: [[Double]] = {
    var generator = SplitMix64(seed: 4)
    return (0..<40).map { _ in
      (0..<12).map { direction in
        switch direction {
        case 3: 0
        case 7: -0.25
        default: 0.02 * Double(direction - 6) + 0.15 * generator.nextNormal()
        }
      }
    }
  }()

  private static func statistics(_ windows: [[Double]]) -> DirectionStatistics {
    windows.reduce(into: DirectionStatistics(directions: 12)) { $0.take($1) }
  }

  private let statistics = Self.statistics(Self.changes)
  private static let dampings = [0.5, 1, 7]

  private static func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
    let mean = values.reduce(0, +) / Double(values.count)
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1))
  }

  @Test func meansAndVariancesAreThoseOfTheWindows() {
    for direction in 0..<12 {
      let expected = Self.moments(Self.changes.map { $0[direction] })
      let found = statistics.moments(of: direction)
      #expect(abs(found.mean - expected.mean) < 1e-14 && abs(found.variance - expected.variance) < 1e-14)
    }
    #expect(statistics.moments(of: 3).variance == 0 && statistics.moments(of: 7).variance == 0)
    let expected = Self.moments(Self.changes.map { $0.reduce(0, +) })
    #expect(abs(statistics.totalMoments.mean - expected.mean) < 1e-13)
    #expect(abs(statistics.totalMoments.variance - expected.variance) < 1e-12)
  }

  @Test func foldsAddUp() throws {
    var odd = Self.statistics(stride(from: 1, to: 40, by: 2).map { Self.changes[$0] })
    let even = Self.statistics(stride(from: 0, to: 40, by: 2).map { Self.changes[$0] })
    let sum = even + odd
    #expect(sum.windows == 40)
    for direction in 0..<12 { #expect(abs(sum.sums[direction] - statistics.sums[direction]) < 1e-13) }
    // A window without a token is one in which nothing changes.
    var zeros = odd
    odd.takeEmptyWindows(3)
    for _ in 0..<3 { zeros.take(Array(repeating: 0, count: 12)) }
    #expect(odd == zeros)
    let read = DirectionStatistics(
      windows: odd.windows, sums: odd.sums, squares: odd.squares, totalSum: odd.totalSum, totalSquare: odd.totalSquare)
    #expect(read == odd)
    #expect(
      DirectionStatistics(windows: 3, sums: [1, .nan], squares: [1, 1], totalSum: 0, totalSquare: 0) == nil)
    #expect(DirectionStatistics(windows: 3, sums: [1], squares: [1, 1], totalSum: 0, totalSquare: 0) == nil)
    #expect(DirectionStatistics(windows: 3, sums: [1], squares: [-1], totalSum: 0, totalSquare: 0) == nil)
  }

  /// m a + ½ k v a².
  private func change(_ moments: (mean: Double, variance: Double), _ share: Double, damping: Double) -> Double {
    moments.mean * share + damping * moments.variance * share * share / 2
  }

  /// The best of the shares that a kind allows, direction by direction, by trying them.
  @Test(
    arguments: [(FilterKind.select, [0.0, 1]), (.shrink, Self.grid(0)), (.reweight, Self.grid(-1))], Self.dampings)
  func eachDirectionHasItsBestShare(_ kind: (FilterKind, [Double]), _ damping: Double) {
    let choice = statistics.filter(kind.0, damping: damping)
    var sum = 0.0
    for direction in 0..<12 {
      let share = 1 - Double(choice.filter.factor(of: direction))
      let moments = Self.moments(Self.changes.map { $0[direction] })
      guard direction != 3, direction != 7 else {
        #expect(share == 0)  // never seen, or never varying: nothing is known of its curvature
        continue
      }
      let changes = kind.1.map { change(moments, $0, damping: damping) }
      let best = changes.min() ?? 0
      sum += best
      #expect(share >= kind.1[0] && share <= 1)
      #expect(change(moments, share, damping: damping) < best + 1e-7, "\(direction)")
    }
    #expect(abs(choice.predictedChange - sum) < 1e-3 && choice.predictedChange < 0)
  }

  private static func grid(_ first: Double) -> [Double] { Array(stride(from: first, through: 1, by: 1.0 / 1024)) }

  @Test(arguments: Self.dampings) func aPrefixIsTheBestOfAllRanks(_ damping: Double) {
    // Some of the last directions do harm.
    let windows = Self.changes.map { window in window.enumerated().map { $1 - ($0 > 7 ? 0.3 : 0) } }
    let choice = Self.statistics(windows).filter(.truncate, damping: damping)
    let costs = (0...12).map { rank in
      // Of directions 3 and 7 nothing is known.
      (rank..<12).filter { $0 != 3 && $0 != 7 }.reduce(0.0) { sum, direction in
        sum + change(Self.moments(windows.map { $0[direction] }), 1, damping: damping)
      }
    }
    // The largest of equal ones: what is not known stays.
    let best = costs.indices.reversed().min { costs[$0] < costs[$1] } ?? 0
    #expect(choice.filter == .truncation(rank: best) && best < 12)
    #expect(abs(choice.predictedChange - costs[best]) < 1e-12)
  }

  @Test(arguments: Self.dampings) func aScaleIsTheBestOfAll(_ damping: Double) {
    let choice = statistics.filter(.scale, damping: damping)
    let moments = Self.moments(Self.changes.map { $0.reduce(0, +) })
    let best = Self.grid(0).map { change(moments, $0, damping: damping) }.min() ?? 0
    let share = 1 - Double(choice.filter.factor(of: 0))
    #expect(change(moments, share, damping: damping) < best + 1e-7 && choice.predictedChange <= best)
    #expect(choice.filter == .scale(Float(1 - share), directions: 12) && choice.filter.rank == (share == 1 ? 0 : 12))
  }

  /// What a filter has taken away already is where the slope was measured: its best share is near that one.
  @Test(arguments: [FilterKind.shrink, .reweight], Self.dampings)
  func aStartIsWhereTheSlopeIs(_ kind: FilterKind, _ damping: Double) {
    let start = (0..<12).map { Float($0 % 4) / 4 }
    let choice = statistics.filter(kind, damping: damping, from: .factors(start))
    let plain = statistics.filter(kind, damping: damping)
    var moved = 0
    for direction in 0..<12 {
      let before = 1 - Double(start[direction])
      let share = 1 - Double(choice.filter.factor(of: direction))
      let moments = Self.moments(Self.changes.map { $0[direction] })
      guard direction != 3, direction != 7 else {
        #expect(choice.filter.factor(of: direction) == start[direction])
        continue
      }
      let shares = Self.grid(kind == .shrink ? 0 : -1)
      let best = shares.map { change(moments, $0 - before, damping: damping) }.min() ?? 0
      #expect(change(moments, share - before, damping: damping) < best + 1e-7, "\(direction)")
      if choice.filter.factor(of: direction) != plain.filter.factor(of: direction) { moved += 1 }
    }
    #expect((damping < 1 || moved > 0) && choice.predictedChange < 0)
    #expect(statistics.filter(kind, damping: damping, from: .truncation(rank: 12)) == plain)
  }

  @Test func ranksAndSelectionsStartFromWhatIsLeft() {
    // Direction 0 does harm where it is, direction 1 helps, though nothing of it is left.
    let windows = (0..<20).map { window in [-0.5, 0.5, 0.5].map { $0 + 0.01 * Double(window % 3) } }
    let statistics = windows.reduce(into: DirectionStatistics(directions: 3)) { $0.take($1) }
    let start = Filter.factors([1, 0, 1])
    #expect(statistics.filter(.select, damping: 1, from: start).filter == .factors([0, 1, 1]))
    #expect(statistics.filter(.truncate, damping: 1, from: start).filter == .truncation(rank: 3))
    #expect(statistics.filter(.truncate, damping: 1, from: .truncation(rank: 1)).filter == .truncation(rank: 3))
    let scaled = statistics.filter(.scale, damping: 1e5, from: .scale(0.5, directions: 3)).filter
    #expect((scaled.scale ?? 0) > 0.5 && (scaled.scale ?? 1) < 1)
  }

  /// Clamps are reached by directions of strong and steady effect; damping moves every factor toward 1.
  @Test func clampsAndDamping() {
    var generator = SplitMix64(seed: 9)
    let windows = (0..<50).map { _ in [-1.0, 1, -0.05, 0.05].map { $0 + 0.2 * generator.nextNormal() } }
    let statistics = windows.reduce(into: DirectionStatistics(directions: 4)) { $0.take($1) }
    func factors(_ kind: FilterKind, _ damping: Double) -> [Float] {
      statistics.filter(kind, damping: damping).filter.factors(fullRank: 4)
    }
    #expect(factors(.shrink, 1)[0] == 0 && factors(.shrink, 1)[1] == 1)
    #expect(factors(.reweight, 1)[0] == 0 && factors(.reweight, 1)[1] == 2)
    #expect(factors(.select, 1)[0] == 0 && factors(.select, 1)[1] == 1)
    #expect(factors(.select, 1000) == [1, 1, 1, 1])
    for kind in [FilterKind.shrink, .reweight] {
      let distances = [1.0, 4, 64, 4096].map { damping in factors(kind, damping).map { abs(1 - $0) } }
      for (less, more) in zip(distances, distances.dropFirst()) {
        #expect(zip(less, more).allSatisfy { $0 >= $1 })
      }
      #expect(distances[3].allSatisfy { $0 < 0.02 } && distances[3][0] > 0)
    }
    // One window says nothing of how a change varies.
    let single = windows.prefix(1).reduce(into: DirectionStatistics(directions: 4)) { $0.take($1) }
    for kind in FilterKind.allCases where kind != .truncate {
      #expect(single.filter(kind, damping: 1).filter.factors(fullRank: 4) == [1, 1, 1, 1])
    }
  }
}
