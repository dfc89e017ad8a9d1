internal import Evaluation
internal import Models
internal import RankReduction

extension Search {
  /// One pass backwards foretells what every rank of every site changes. Those that are foretold to improve the model count as
  /// candidates if they pass as findings among all that were foretold (Benjamini & Hochberg). From the last layer down, the
  /// best of a layer's candidates are then made and measured together, and kept if the score falls by more than its noise;
  /// otherwise the better half of them is tried, then the other.
  func guided(_ trials: inout TrialSequence, folder: String) throws -> [Reduction] {
    let predictions = try trials.predictions(in: folder)
    let baseline = try trials.baseline()
    let choices = predictions.flatMap { prediction in
      zip(prediction.ranks, prediction.changes).map {
        Portfolio.Choice(
          site: prediction.site, rank: $0, changes: $1, predicted: PredictedDelta(changes: $1, of: baseline))
      }
    }
    let level = Guidance.level(choices.map(\.predicted.delta), windows: baseline.windows.count, record)
    let candidates = choices.filter {
      Guidance.passes($0.predicted.delta, windows: baseline.windows.count, level: level)
    }
    var rule = ImprovementRule(
      Acceptance(confidence: settings.confidence, falseDiscoveryRate: 1), futility: trials.futility)
    let layers = Set(sites.map(\.layer)).sorted(by: >)
    trials.expectedCount = Set(candidates.map(\.site.layer)).count
    for layer in layers {
      let portfolio = Portfolio(of: candidates.filter { $0.site.layer == layer }, score: baseline)
      guard try tryTogether(portfolio.choices[...], &trials, &rule) else { break }
    }
    return trials.kept
  }

  /// Returns false when the budget is spent.
  private func tryTogether(
    _ choices: ArraySlice<Portfolio.Choice>, _ trials: inout TrialSequence, _ rule: inout ImprovementRule
  ) throws -> Bool {
    guard !choices.isEmpty else { return true }
    guard let trial = try trials.trial(of: Array(choices), rule: &rule) else { return false }
    guard !trial.kept, choices.count > 1 else { return true }
    trials.expectedCount += 2
    let middle = choices.startIndex + choices.count / 2
    return try tryTogether(choices[..<middle], &trials, &rule) && tryTogether(choices[middle...], &trials, &rule)
  }
}
