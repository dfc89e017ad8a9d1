import Evaluation
import Models
import Search
import Tensors
import Testing

@Suite struct StatisticsTests {
  // Tables of Student's t: P(T > t).
  @Test(arguments: [
    (6.314, 1.0, 0.05), (2.571, 5.0, 0.025), (1.812, 10.0, 0.05), (1.6596, 104.0, 0.05), (2.626, 100.0, 0.005),
  ])
  func studentTail(t: Double, degrees: Double, tail: Double) {
    #expect(abs(Significance.studentTail(t, degrees: degrees) - tail) < 2e-4 * max(1, tail / 0.05))
    #expect(abs(Significance.studentTail(-t, degrees: degrees) - (1 - tail)) < 2e-4)
  }

  /// From tables, and as the inverse of the tail.
  @Test(arguments: [
    (0.975, 1.0, 12.7062), (0.975, 2, 4.30265), (0.975, 9, 2.26216), (0.995, 100, 2.62589), (0.5, 7, 0),
    (0.9, 1e5, 1.28156),
    (0.9999999, 1, 1e4),
  ])
  func studentQuantile(probability: Double, degrees: Double, t: Double) {
    let quantile = Significance.studentQuantile(probability, degrees: degrees)
    #expect(abs(quantile - t) < 2e-4 * max(1, t))
    if t < 1e4 { #expect(abs(Significance.studentTail(quantile, degrees: degrees) - (1 - probability)) < 1e-9) }
  }

  @Test func normalQuantiles() {
    #expect(abs(Significance.normalQuantile(0.95) - 1.6448536) < 1e-6)
    #expect(abs(Significance.normalQuantile(0.001) + 3.0902323) < 1e-6)
    #expect(Significance.normalQuantile(0.5) == 0)
  }

  @Test func pairedDeltaIsTheUsualErrorOfAMeanWhereWindowsAreEqual() {
    let before = Score([1, 2, 3, 4].map { WindowScore(nll: $0 * 10, tokens: 10) })
    let after = Score([0.9, 2.1, 2.7, 3.9].map { WindowScore(nll: $0 * 10, tokens: 10) })
    let delta = PairedDelta(from: before, to: after)
    #expect(abs(delta.mean + 0.1) < 1e-12)
    // Deltas −0.1, 0.1, −0.3, −0.1: variance 0.08/3, error √(0.08/3/4).
    #expect(abs(delta.standardError - (0.08 / 12).squareRoot()) < 1e-12)
  }

  @Test func oneWindowGivesNoErrorAndNoKeep() {
    let delta = PairedDelta(from: Score([.init(nll: 10, tokens: 5)]), to: Score([.init(nll: 5, tokens: 5)]))
    #expect(delta.standardError == .infinity)
    #expect(!Acceptance(confidence: 0.95, falseDiscoveryRate: 1).keeps(delta, windows: 1))
  }

  @Test func halfConfidenceKeepsAnyDecrease() {
    let acceptance = Acceptance(confidence: 0.5, falseDiscoveryRate: 1)
    #expect(acceptance.keeps(PairedDelta(mean: -1e-9, standardError: 1), windows: 20))
    #expect(!acceptance.keeps(PairedDelta(mean: 0, standardError: 1), windows: 20))
    #expect(!acceptance.keeps(PairedDelta(mean: 1e-9, standardError: 1), windows: 20))
  }

  /// Searches of pure noise: nothing is any good, so every keep is luck.
  @Test func aSearchThroughNoiseKeepsNextToNothing() {
    var random = NormalNumbers(seed: 7)
    let searches = 200
    var searchesWithKeeps = 0
    var keepsOfEachAlone = 0
    for _ in 0..<searches {
      var acceptance = Acceptance(confidence: 0.95, falseDiscoveryRate: 0.1)
      var keeps = 0
      for _ in 0..<300 {
        let delta = PairedDelta(mean: random.next(), standardError: 1)
        let kept = acceptance.keeps(delta, windows: 1000)
        if kept { keeps += 1 }
        if Significance.pValue(delta, windows: 1000) < 0.05 { keepsOfEachAlone += 1 }
        acceptance.record(delta, windows: 1000, kept: kept)
      }
      if keeps > 0 { searchesWithKeeps += 1 }
    }
    // The rate is 0.1: where everything is luck, at most a tenth of the searches may keep anything (3 errors of slack).
    #expect(Double(searchesWithKeeps) / Double(searches) < 0.1 + 3 * (0.09 / Double(searches)).squareRoot())
    // Judged one by one, each search would have kept about fifteen.
    #expect(keepsOfEachAlone > 10 * searches)
  }

  @Test func aSearchThatFindsMuchKeepsItsPower() {
    var random = NormalNumbers(seed: 8)
    var acceptance = Acceptance(confidence: 0.95, falseDiscoveryRate: 0.1)
    var (found, good, lucky, keeps) = (0, 0, 0, 0)
    for index in 0..<400 {
      let isGood = index % 2 == 0
      let delta = PairedDelta(mean: random.next() - (isGood ? 4 : 0), standardError: 1)
      let kept = acceptance.keeps(delta, windows: 1000)
      acceptance.record(delta, windows: 1000, kept: kept)
      if isGood { good += 1 }
      if kept { keeps += 1 }
      if kept && isGood { found += 1 }
      if kept && !isGood { lucky += 1 }
    }
    #expect(Double(found) > 0.9 * Double(good))
    #expect(Double(lucky) < 0.15 * Double(keeps))
  }

  /// Trials whose windows are drawn with a known mean, stopped by the rule or run to the end.
  private func lostShare(mean: Double, trials: Int, seed: UInt64) -> (accepted: Int, lost: Int, windowsRun: Double) {
    var random = NormalNumbers(seed: seed)
    let rounds = WindowRounds(count: 104, exhaustive: false).rounds
    let rule = FutilityRule(looks: rounds.count - 1, windowCount: 104)
    let acceptance = Acceptance(confidence: 0.95, falseDiscoveryRate: 1)
    var (accepted, lost, run) = (0, 0, 0)
    for _ in 0..<trials {
      let deltas = (0..<104).map { _ in random.next() + mean }
      func delta(_ indices: [Int]) -> PairedDelta {
        PairedDelta(
          from: Score(indices.map { _ in WindowScore(nll: 0, tokens: 1) }),
          to: Score(indices.map { WindowScore(nll: deltas[$0], tokens: 1) }))
      }
      let stop = (1..<rounds.count).first { count in
        let indices = Array(rounds[..<count].joined())
        return rule.stops(delta(indices), windows: indices.count, threshold: 0, level: acceptance.level)
      }
      run += rounds[..<(stop ?? rounds.count)].reduce(0) { $0 + $1.count }
      if acceptance.keeps(delta(Array(0..<104)), windows: 104) {
        accepted += 1
        if stop != nil { lost += 1 }
      }
    }
    return (accepted, lost, Double(run) / Double(104 * trials))
  }

  @Test func stoppingLosesFewOfTheAcceptable() {
    // At the border of acceptance, where most could be lost.
    let border = lostShare(mean: -1.66 / 104.0.squareRoot(), trials: 2000, seed: 9)
    #expect(border.accepted > 500)
    #expect(Double(border.lost) < FutilityRule.risk * Double(border.accepted))
  }

  @Test func stoppingSavesMostOfAHopelessTrial() {
    let hopeless = lostShare(mean: 1, trials: 200, seed: 10)
    #expect(hopeless.accepted == 0)
    #expect(hopeless.windowsRun < 0.2)
  }

  @Test func roundsHoldEveryWindowOnce() {
    for count in [1, 5, 15, 16, 31, 64, 105, 1000] {
      let rounds = WindowRounds(count: count, exhaustive: false).rounds
      #expect(rounds.joined().sorted() == Array(0..<count))
      #expect(count >= 12 ? rounds.count > 1 : rounds.count == 1)
      #expect(WindowRounds(count: count, exhaustive: true).rounds == [Array(0..<count)])
    }
  }
}

/// Normal numbers, the same for a seed everywhere.
private struct NormalNumbers {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed) }

  mutating func next() -> Double { generator.nextNormal() }
}
