internal import Evaluation
internal import Models
internal import RankReduction

/// Which predictions count as findings.
enum Guidance {
  /// The largest p that counts.
  static func level(_ deltas: [PairedDelta], windows: Int, _ settings: SearchRecord.Settings) -> Double {
    let pValues = deltas.map { Significance.pValue($0, windows: windows) }
    return min(1 - settings.confidence, FalseDiscovery.threshold(pValues, rate: settings.falseDiscoveryRate))
  }

  static func passes(_ delta: PairedDelta, windows: Int, level: Double) -> Bool {
    delta.mean < 0 && Significance.pValue(delta, windows: windows) <= level
  }

  /// Predictions as the trials that they stand for.
  ///
  /// - Throws: `SearchError` if they are not of the search's text.
  static func foretold(
    _ predictions: [Prediction], _ settings: SearchRecord.Settings, baseline: Score, spectra: [SiteSpectrum]
  ) throws -> [SearchRecord.Trial] {
    let windows = baseline.windows.count
    let shapes = Dictionary(spectra.map { ($0.site, $0) }) { first, _ in first }
    var trials: [SearchRecord.Trial] = []
    for prediction in predictions {
      guard prediction.ranks.count == prediction.changes.count, let shape = shapes[prediction.site],
        prediction.changes.allSatisfy({ $0.count == windows && $0.allSatisfy { abs($0) < 1e12 } }),
        prediction.ranks.allSatisfy({ (0...min(shape.rows, shape.columns)).contains($0) })
      else { throw SearchError("the predictions in the run folder do not fit its texts and spectra") }
      for (rank, changes) in zip(prediction.ranks, prediction.changes) {
        let delta = PredictedDelta(changes: changes, of: baseline).delta
        trials.append(
          SearchRecord.Trial(
            number: trials.count + 1, phase: .prediction, tensor: "", layer: prediction.layer,
            expert: prediction.expert, role: prediction.role, kind: settings.base == nil ? .weights : .delta,
            rank: rank,
            fullRank: min(shape.rows, shape.columns), windowsUsed: windows, nll: baseline.meanNLL + delta.mean,
            delta: delta.mean, standardError: delta.standardError, level: 0, kept: false, seconds: 0))
      }
    }
    let level = level(trials.compactMap(\.pairedDelta), windows: windows, settings)
    for index in trials.indices { trials[index].level = level }
    return trials
  }
}
