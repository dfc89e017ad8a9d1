import Search
import Testing

/// The time that is left of a search, by what its trials took.
struct TrialPaceTests {
  /// Four layers of cost 8 under a head of cost 16: a trial costs 41, 33, 25, 17 from the first layer to the last.
  private func pace(_ expected: [Int: Int]) -> TrialPace {
    var pace = TrialPace(layerCosts: [8, 8, 8, 8], headCost: 16)
    pace.expect(expected)
    return pace
  }

  @Test func nothingIsKnownBeforeATrial() {
    var pace = pace([0: 2, 3: 2])
    #expect(pace.secondsLeft() == nil && pace.share == 0)
    // What was read says nothing of the time, but is done.
    pace.count(layer: 3, seconds: nil)
    #expect(pace.secondsLeft() == nil)
    #expect(abs(pace.share - 17 / 116) < 1e-12)
  }

  @Test func fromOneLayerInProportion() throws {
    var pace = pace([0: 1, 3: 2])
    pace.count(layer: 3, seconds: 1.7)
    let left = try #require(pace.secondsLeft())
    #expect(abs(left - (1.7 + 4.1)) < 1e-9)
  }

  /// 0.5 s for each trial and 0.1 s for each unit of cost, found from two layers.
  @Test func fromTwoLayersByAFixedPartAndAGrowingOne() throws {
    var pace = pace([0: 3, 1: 0, 2: 2, 3: 2])
    for _ in 0..<2 { pace.count(layer: 3, seconds: 0.5 + 1.7) }
    for _ in 0..<2 { pace.count(layer: 2, seconds: 0.5 + 2.5) }
    let left = try #require(pace.secondsLeft())
    #expect(abs(left - 3 * (0.5 + 4.1)) < 1e-9)
    let limited = try #require(pace.secondsLeft(most: 1))
    #expect(abs(limited - (0.5 + 4.1)) < 1e-9)
    #expect(pace.secondsLeft(most: 0) == 0)
  }

  /// Layers that got faster on the way down have no growing part.
  @Test func aFallingCostIsNotExtrapolated() throws {
    var pace = pace([0: 1, 2: 1, 3: 1])
    pace.count(layer: 3, seconds: 5)
    pace.count(layer: 2, seconds: 1)
    let left = try #require(pace.secondsLeft())
    #expect(left > 1 && left.isFinite)
  }

  @Test func aSiteMayNeedFewerTrials() {
    var pace = pace([1: 10])
    pace.expect(atMost: 4, layer: 1)
    #expect(pace.expected(layer: 1) == 4)
    pace.expect(atMost: 9, layer: 1)
    #expect(pace.expected(layer: 1) == 4 && pace.expected(layer: 7) == 0)
    for _ in 0..<6 { pace.count(layer: 1, seconds: nil) }
    #expect(pace.share == 1)
  }
}
