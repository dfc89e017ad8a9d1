internal import Evaluation
internal import Models
internal import RankReduction
internal import Wording

/// Which predictions count as findings among all that were made (Benjamini & Hochberg).
struct PredictionTest {
  let windowCount: Int
  /// The largest p that counts.
  let level: Double

  init(_ deltas: [PairedDelta], _ settings: SearchSettings, windowCount: Int) {
    self.windowCount = windowCount
    let pValues = deltas.map { Significance.pValue($0, windows: windowCount) }
    level = min(1 - settings.confidence, FalseDiscovery.threshold(pValues, rate: settings.falseDiscoveryRate))
  }

  func passes(_ delta: PairedDelta) -> Bool {
    delta.mean < 0 && Significance.pValue(delta, windows: windowCount) <= level
  }
}

extension [Prediction] {
  /// Predictions as the trials that they stand for.
  ///
  /// - Throws: `InputError` if they are not of the search's text.
  func trials(
    _ settings: SearchSettings, baseline: Score, spectra: [SiteSpectrum]
  ) throws(InputError) -> [SearchRecord.Trial] {
    let windows = baseline.windows.count
    let shapes = Dictionary(spectra.map { ($0.site, $0) }) { first, _ in first }
    var trials: [SearchRecord.Trial] = []
    for prediction in self {
      guard prediction.ranks.count == prediction.changes.count, let shape = shapes[prediction.site],
        prediction.changes.allSatisfy({ $0.count == windows && $0.allSatisfy { abs($0) < 1e12 } }),
        prediction.ranks.allSatisfy({ (0...Swift.min(shape.rows, shape.columns)).contains($0) })
      else { throw InputError("the predictions in the run folder do not fit its texts and spectra") }
      for (rank, changes) in zip(prediction.ranks, prediction.changes) {
        let delta = PredictedDelta(changes: changes, of: baseline).delta
        trials.append(
          SearchRecord.Trial(
            number: trials.count + 1, phase: .prediction, tensor: "", layer: prediction.layer,
            expert: prediction.expert, role: prediction.role, kind: settings.base == nil ? .weights : .delta,
            rank: rank, fullRank: Swift.min(shape.rows, shape.columns), evidence: .predicted, windowsUsed: windows,
            nll: baseline.meanNLL + delta.mean, delta: delta.mean, standardError: delta.standardError, level: 0,
            kept: false, seconds: 0))
      }
    }
    let test = PredictionTest(trials.compactMap(\.pairedDelta), settings, windowCount: windows)
    for index in trials.indices { trials[index].level = test.level }
    return trials
  }
}
