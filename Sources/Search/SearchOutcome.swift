package import Evaluation
internal import Inference
internal import Models
package import RankReduction
internal import Wording

/// What a finished search found: all that reports are made from.
package struct SearchOutcome: Sendable {
  /// What the search was made by: settings, files, program.
  package let header: SearchRecord.Header
  package let trials: [SearchRecord.Trial]
  package let search: Comparison
  package let heldOut: Comparison
  /// The search for the damping of filters; empty for other strategies.
  package let rungs: [SearchRecord.Rung]
  /// What needs no search of its own, on the held-out text.
  package let alternatives: [Alternative]
  /// The base itself on the held-out text, as what the original would become; nil without one.
  package let base: Comparison?
  /// Held-out questions that were healed or broken, the first of each file.
  package let changes: [QuestionChange]
  /// The text that may not get worse; nil where nothing is guarded.
  package let guarded: Comparison?
  /// The factors of directions, of the filters that were kept: see `FilterFile`.
  private let factors: [String: [Float]]
  /// Fingerprints of the reduced matrices, in the order of `kept`; empty where the search did not say.
  package let matrices: [String]
  /// Whether the search ended because its budget was spent.
  package let spentBudget: Bool
  package let seconds: Double
  /// Of the sites that were searched, as far as they were decomposed.
  package let spectra: [SiteSpectrum]
  /// Of the original model on every held-out text; empty for a dense model.
  package let routing: [CorpusRouting]

  /// Where the router sent one text's tokens.
  package struct CorpusRouting: Sendable {
    /// The path of the text.
    package let text: String
    package let statistics: RoutingStatistics
  }

  /// A simpler change of the same matrices, measured on the held-out text.
  package struct Alternative: Sendable {
    package let name: String
    package let comparison: Comparison
  }

  /// Two scores of the same windows, by corpus and pooled.
  package struct Comparison: Sendable {
    package let corpora: [Corpus]
    package let baseline: Score
    package let result: Score

    package var delta: PairedDelta { PairedDelta(from: baseline, to: result) }
    /// In which the true change lies at 95 %.
    package var interval: ClosedRange<Double>? { Significance.interval(delta, windows: baseline.windows.count) }

    package struct Corpus: Sendable {
      package let path: String
      package let baseline: Score
      package let result: Score

      package var delta: PairedDelta { PairedDelta(from: baseline, to: result) }
      package var interval: ClosedRange<Double>? { Significance.interval(delta, windows: baseline.windows.count) }
    }

    init(texts: [SearchInputs.Text], baseline: [WindowScore], result: [WindowScore]) throws {
      guard texts.allSatisfy({ (0...baseline.count).contains($0.windows) }), baseline.count == result.count,
        baseline.count == texts.reduce(0, { $0 + $1.windows }),
        baseline.map(\.tokens) == result.map(\.tokens),
        (baseline + result).allSatisfy({ (0...1 << 31).contains($0.tokens) && abs($0.nll) < 1e12 }),
        baseline.contains(where: { $0.tokens > 0 })
      else { throw InputError("the journal's scores do not fit its texts") }
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

  package var settings: SearchSettings { header.settings }
  package var inputs: SearchInputs { header.inputs }

  /// How many reductions were measured, each by itself.
  package var trialCount: Int { trials.count { $0.evidence == .measured } }

  package enum Verdict: String, Sendable {
    /// Random directions took the place of singular ones: whatever it gains is no result.
    case control
    /// No reduction passed the test on the search text.
    case nothingKept = "nothing_kept"
    /// The held-out score falls by more than its noise.
    case holds
    /// The held-out score does not fall by more than its noise, so the gain on the search text was chance or overfitting.
    case doesNotHold = "does_not_hold"
    /// The text that may not get worse did, by more than is allowed.
    case breaksGuard = "breaks_guard"
    /// The objective was size, and the held-out nll rises by no more than the tolerance.
    case withinTolerance = "within_tolerance"
    /// The objective was size, and the held-out nll rises by more than the tolerance.
    case beyondTolerance = "beyond_tolerance"
  }

  package var verdict: Verdict {
    if settings.isControl { return .control }
    if kept.isEmpty { return .nothingKept }
    if let guardEvidence, !guardEvidence.passes { return .breaksGuard }
    if let tolerance = settings.objective.tolerance {
      return heldOut.delta.mean <= tolerance ? .withinTolerance : .beyondTolerance
    }
    let chance = Significance.pValue(heldOut.delta, windows: heldOut.baseline.windows.count)
    return chance < 1 - Self.verdictConfidence ? .holds : .doesNotHold
  }

  /// What the result does to the text that may not get worse.
  package var guardEvidence: GuardEvidence? {
    guarded.map {
      GuardEvidence(
        $0.delta, windows: $0.baseline.windows.count, limit: settings.allowedOnGuard, confidence: settings.confidence)
    }
  }

  private static let verdictConfidence = 0.95

  /// Whether a search ended with what was asked of it, on text that it did not see.
  package var isSuccess: Bool { verdict == .holds || verdict == .withinTolerance }

  /// The share of the change on the search text, a gain, that is there on the held-out text too; nil where the search
  /// text was not searched on, or nothing was gained there.
  package var survivingShare: Double? {
    guard kept.contains(where: { $0.evidence != .none }), search.delta.mean < 0, settings.objective == .perplexity
    else {
      return nil
    }
    let share = heldOut.delta.mean / search.delta.mean
    return share.isFinite ? share : nil
  }

  /// How many of the accepted trials are false positives, as expected: see `SearchStrategy`.
  package var expectedFalseKeeps: Double {
    settings.strategy.search.expectedFalseKeeps(trials, settings, windowCount: search.baseline.windows.count)
  }

  /// Numbers of the matrices that are reduced, as stored, and in two factors where these are smaller.
  package var sizes: (before: Int, factored: Int) {
    let shapes = Dictionary(spectra.map { ($0.site, ($0.rows, $0.columns)) }) { first, _ in first }
    return kept.reduce((0, 0)) { sum, trial in
      guard let (rows, columns) = shapes[trial.site] else { return sum }
      return (sum.0 + rows * columns, sum.1 + min(rows * columns, trial.rank * (rows + columns)))
    }
  }

  /// The trials that make the plan: for each site the last one kept, in the order in which they were kept.
  package let kept: [SearchRecord.Trial]

  /// What a kept trial reduced.
  package func reduction(of trial: SearchRecord.Trial) -> Reduction {
    guard trial.filter != nil else { return trial.reduction }
    let filter =
      trial.scale.map { Filter.scale($0, directions: trial.fullRank) }
      ?? factors[FilterFile.name(of: trial.site)].map(Filter.factors) ?? .truncation(rank: trial.rank)
    return Reduction(site: trial.site, kind: trial.kind, filter: filter)
  }

  /// The factors that a search wrote beside its plan; none if it kept no filters.
  private static func factors(in folder: String, _ records: [SearchRecord]) throws -> [String: [Float]] {
    let hasFilters = records.contains { record in
      if case .trial(let trial) = record { trial.phase == .filters || trial.filter != nil } else { false }
    }
    return hasFilters ? try FilterFile.read(FilterFile.path(besidePlan: folder + "/plan.yaml")) : [:]
  }

  /// What a run folder holds.
  ///
  /// - Throws: `InputError` if there is no search in it, or one that is not finished.
  package init(folder: String) throws {
    let records = try Journal.read(in: folder)
    guard !records.isEmpty else { throw InputError("\(folder): no journal of a search in it") }
    try self.init(
      records, in: folder, spectra: SpectrumCache.read(in: folder), factors: Self.factors(in: folder, records))
  }

  /// From the records of a finished journal.
  ///
  /// - Throws: `InputError` if the search is not finished.
  package init(
    _ records: [SearchRecord], in folder: String = "the run folder", spectra: [SiteSpectrum] = [],
    factors: [String: [Float]] = [:]
  ) throws {
    var header: SearchRecord.Header?
    var trials: [SearchRecord.Trial] = []
    var rungs: [SearchRecord.Rung] = []
    var result: SearchRecord.Result?
    for record in records {
      switch record {
      case .header(let value): header = value
      case .original: break  // the result has it too
      case .trial(let value): trials.append(value)
      case .rung(let value): rungs.append(value)
      case .result(let value): result = value
      }
    }
    try header?.refuseOtherVersion(in: folder)
    guard let header, let result else {
      throw InputError("the search is not finished; run the same command again to continue it")
    }
    self.header = header
    self.rungs = rungs
    let inputs = header.inputs
    search = try Comparison(texts: inputs.text, baseline: result.searchBaseline, result: result.search)
    trials = trials.flatMap(\.members)
    self.trials = trials
    var lastKept: [Site: Int] = [:]
    for (index, trial) in trials.enumerated() where trial.kept { lastKept[trial.site] = index }
    kept = lastKept.values.sorted().map { trials[$0] }
    heldOut = try Comparison(texts: inputs.heldOut, baseline: result.heldOutBaseline, result: result.heldOut)
    spentBudget = result.spentBudget
    seconds = result.seconds
    self.spectra = spectra
    self.factors = factors
    matrices = result.matrices ?? []
    alternatives = try (result.alternatives ?? []).map {
      Alternative(
        name: $0.name,
        comparison: try Comparison(texts: inputs.heldOut, baseline: result.heldOutBaseline, result: $0.heldOut))
    }
    base = try result.heldOutBase.map {
      try Comparison(texts: inputs.heldOut, baseline: result.heldOutBaseline, result: $0)
    }
    changes = result.changes ?? []
    guarded = try result.guardBaseline.flatMap { baseline in
      try result.guarded.map { try Comparison(texts: inputs.guarded ?? [], baseline: baseline, result: $0) }
    }
    routing = zip(inputs.heldOut.map(\.path), result.routing ?? []).map { CorpusRouting(text: $0, statistics: $1) }
    guard routing.allSatisfy({ $0.statistics.isConsistent }) else {
      throw InputError("the journal's routing statistics do not fit together")
    }
  }
}
