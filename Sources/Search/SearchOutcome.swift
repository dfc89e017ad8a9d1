package import Evaluation
internal import RankReduction

/// What a finished search found: all that reports are made from.
package struct SearchOutcome: Sendable {
  package let settings: SearchRecord.Settings
  package let trials: [SearchRecord.Trial]
  package let search: Comparison
  package let heldOut: Comparison
  package let seconds: Double

  /// Two scores of the same windows, by corpus and pooled.
  package struct Comparison: Sendable {
    package let corpora: [Corpus]
    package let baseline: Score
    package let result: Score

    package var delta: PairedDelta { PairedDelta(from: baseline, to: result) }

    package struct Corpus: Sendable {
      package let path: String
      package let baseline: Score
      package let result: Score

      package var delta: PairedDelta { PairedDelta(from: baseline, to: result) }
    }

    init(texts: [SearchRecord.Settings.Text], baseline: [WindowScore], result: [WindowScore]) throws {
      guard texts.allSatisfy({ (0...baseline.count).contains($0.windows) }), baseline.count == result.count,
        baseline.count == texts.reduce(0, { $0 + $1.windows }),
        baseline.map(\.tokens) == result.map(\.tokens),
        (baseline + result).allSatisfy({ (0...1 << 31).contains($0.tokens) && abs($0.nll) < 1e12 }),
        baseline.contains(where: { $0.tokens > 0 })
      else { throw SearchError("the journal's scores do not fit its texts") }
      self.baseline = Score(baseline)
      self.result = Score(result)
      var corpora: [Corpus] = []
      var start = 0
      for text in texts {
        let range = start..<start + text.windows
        corpora.append(
          Corpus(path: text.path, baseline: Score(Array(baseline[range])), result: Score(Array(result[range]))))
        start = range.upperBound
      }
      self.corpora = corpora
    }
  }

  package enum Verdict: Sendable {
    /// No reduction passed the test on the search text.
    case nothingKept
    /// The held-out score falls by more than its noise.
    case holds
    /// The held-out score does not fall by more than its noise, so the gain on the search text was luck or overfitting.
    case doesNotHold
  }

  package var verdict: Verdict {
    if kept.isEmpty { return .nothingKept }
    let chance = Significance.pValue(heldOut.delta, windows: heldOut.baseline.windows.count)
    return chance < 1 - Self.verdictConfidence ? .holds : .doesNotHold
  }

  private static let verdictConfidence = 0.95

  /// How many of the trials luck alone would have passed, if no reduction were any good: the sum of the tests' levels.
  package var keepsByLuck: Double { trials.reduce(0) { $0 + $1.level } }

  /// The trials that make the plan: for each site the last one kept, in the order in which they were kept.
  package var kept: [SearchRecord.Trial] {
    trials.enumerated().filter { index, trial in
      trial.kept && !trials[(index + 1)...].contains { $0.kept && $0.site == trial.site }
    }.map(\.element)
  }

  /// From the records of a finished journal.
  ///
  /// - Throws: `SearchError` if the search is not finished.
  package init(_ records: [SearchRecord]) throws {
    var settings: SearchRecord.Settings?
    var trials: [SearchRecord.Trial] = []
    var result: SearchRecord.Result?
    for record in records {
      switch record {
      case .settings(let value): settings = value
      case .trial(let value): trials.append(value)
      case .result(let value): result = value
      }
    }
    guard let settings, let result else {
      throw SearchError("the search is not finished; run the same command again to continue it")
    }
    self.settings = settings
    self.trials = trials
    search = try Comparison(texts: settings.text, baseline: result.searchBaseline, result: result.search)
    heldOut = try Comparison(texts: settings.heldOut, baseline: result.heldOutBaseline, result: result.heldOut)
    seconds = result.seconds
  }
}
