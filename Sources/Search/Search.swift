internal import Checkpoints
internal import Evaluation
internal import Inference
package import Models
package import RankReduction
internal import Tensors
internal import Tokenization

/// A search made ready: files opened, texts tokenized, sites and ranks resolved. Everything that can be wrong with its
/// settings has been found by then.
package struct Search: Sendable {
  package let settings: SearchSettings
  package let model: Model
  package let reducer: Reducer
  /// But for the screening, which depends on the memory that a run may take.
  package let record: SearchRecord.Settings
  let text: Evaluation
  private let heldOut: Evaluation
  /// From the last layer down.
  let sites: [Site]

  /// What a search tells while it runs.
  package enum Event: Sendable {
    case baseline(share: Double)
    /// What reductions would change is foretold.
    case prediction(share: Double)
    /// - Parameter of: How many there will be at most.
    case trial(SearchRecord.Trial, of: Int)
    /// The result is measured on both texts.
    case confirmation(share: Double)
  }

  package init(_ settings: SearchSettings, program: String) throws {
    self.settings = settings
    let model = try Model(folder: settings.model)
    self.model = try settings.expertsPerToken.map { try model.withExpertsPerToken($0) } ?? model
    let base = try settings.base.map { try Model(folder: $0) }
    reducer = try Reducer(self.model, base: base, isControl: settings.isControl)
    sites = try settings.selection.sites(of: model)
    for site in sites {
      try reducer.check(site)
      for rule in settings.ranks { try rule.check(fullRank: reducer.fullRank(of: site)) }
    }
    let tokenizer = try Tokenizer(folder: settings.model)
    func evaluation(_ paths: [String]) throws -> Evaluation {
      try Evaluation(
        paths.map { try Corpus(file: $0, tokenizer: tokenizer) }, convention: settings.convention,
        context: settings.context, tokenizer: tokenizer)
    }
    if settings.heldOut.isEmpty {
      (text, heldOut) = try evaluation(settings.text).halves()
    } else {
      text = try evaluation(settings.text)
      heldOut = try evaluation(settings.heldOut)
    }
    try Self.refuseRepeatedTexts(text.corpora + (settings.heldOut.isEmpty ? [] : heldOut.corpora))
    guard text.windows.count(where: { $0.scoredCount > 0 }) > 1 else {
      throw SearchError(
        "\(settings.text.joined(separator: ", ")): one window of text cannot tell a gain from noise; give more text")
    }
    func texts(_ evaluation: Evaluation) -> [SearchRecord.Settings.Text] {
      zip(evaluation.corpora, evaluation.ranges).map {
        SearchRecord.Settings.Text(path: $0.path, fingerprint: $0.fingerprint.description, windows: $1.count)
      }
    }
    record = SearchRecord.Settings(
      version: 1, program: program,
      model: .init(path: settings.model, fingerprint: model.checkpoint.fingerprint.description),
      tokenizer: try Tokenizer.fingerprint(folder: settings.model).description,
      base: base.map { .init(path: $0.checkpoint.folder, fingerprint: $0.checkpoint.fingerprint.description) },
      text: texts(text), heldOut: texts(heldOut), convention: settings.convention.name, context: settings.context,
      stride: settings.convention.stride, expertsPerToken: settings.expertsPerToken,
      layers: settings.selection.layers.description,
      experts: settings.selection.experts.description, roles: settings.selection.roles.map(\.rawValue),
      ranks: settings.ranks.map(\.description), confidence: settings.confidence,
      falseDiscoveryRate: settings.falseDiscoveryRate, isExhaustive: settings.isExhaustive,
      screening: nil,
      strategy: settings.strategy, objective: settings.objective.name, tolerance: settings.objective.tolerance,
      budget: settings.budget?.description, isControl: settings.isControl)
  }

  /// A text that counts twice would look like twice the evidence.
  private static func refuseRepeatedTexts(_ corpora: [Corpus]) throws(SearchError) {
    for (index, corpus) in corpora.enumerated()
    where corpora[..<index].contains(where: { $0.fingerprint == corpus.fingerprint }) {
      throw SearchError(
        "\(corpus.path): the same text is given twice; a search needs different texts to search on and to hold out")
    }
  }

  /// Runs the search, or goes on where its journal ends, and returns what it found.
  ///
  /// - Parameters:
  ///   - folder: The run folder; made if it is not there. It receives journal.jsonl, spectra.jsonl and plan.yaml.
  ///   - memory: Bytes that the search may take: see `MemoryPlan`. States kept for trials beyond it go to disk, in the run
  ///     folder.
  ///   - report: Called as the search goes on, after what it tells is on disk. What it throws ends the search, which can
  ///     be continued later.
  package func run(
    in folder: String, memory: Int, report: @escaping (Event) throws -> Void
  ) throws -> SearchOutcome {
    let screening =
      settings.strategy == .guided
      ? nil
      : Screening(
        in: settings.screening, of: model, on: text, rounds, memory: memory, others: reducer.byteCount(of: sites))
    var record = record
    record.screening = screening?.precision.rawValue
    try AtomicFile.makeFolder(folder)
    let journal = try Journal(in: folder)
    let past = PastRecords(journal.records)
    if let settings = past.settings {
      try settings.refuseDifferences(from: record, in: folder)
    } else {
      try journal.append(.settings(record))
    }
    let clock = ContinuousClock()
    let start = clock.now
    let secondsBefore = past.seconds
    let seconds = { secondsBefore + (clock.now - start) / .seconds(1) }

    if !past.isFinished {
      let spectra = try SpectrumCache(in: folder)
      var trials = TrialSequence(
        self, past: past, journal: journal, spectra: spectra, screening: screening, memory: memory,
        scratchFolder: folder,
        seconds: seconds, report: report)
      let kept =
        switch settings.strategy {
        case .sweep: try sweep(&trials)
        case .greedy: try greedy(&trials)
        case .guided: try guided(&trials, folder: folder)
        case .noiseEdge: try cutAtNoiseEdge(&trials)
        }
      let searched = trials.end()
      let result = try confirm(
        kept, searched: searched, memory: memory, scratchFolder: folder, spentBudget: trials.hasSpentBudget,
        seconds: seconds,
        report: report)
      try trials.finish(result)
    }
    let outcome = try SearchOutcome(folder: folder)
    if !settings.isControl {
      try AtomicFile.write(plan(outcome, folder: folder).yaml, to: folder + "/plan.yaml")
    }
    return outcome
  }

  /// The order in which trials run over the windows.
  var rounds: WindowRounds { WindowRounds(count: text.windows.count, exhaustive: settings.isExhaustive) }

  /// Each rank once, in the order of the rules; those that make the matrix smaller, from the smallest, if that is the
  /// objective.
  func ranks(for spectrum: Spectrum) -> [Int] {
    var ranks: [Int] = []
    for rule in settings.ranks {
      let rank = rule.rank(for: spectrum)
      if !ranks.contains(rank) { ranks.append(rank) }
    }
    guard case .size = settings.objective else { return ranks }
    // Two factors of r columns and rows are smaller than the matrix while r (m + n) < m n.
    let (m, n) = (spectrum.rows, spectrum.columns)
    return ranks.filter { $0 * (m + n) < m * n }.sorted()
  }

  /// The original and the lasered model on both texts.
  ///
  /// - Parameter searched: The lasered model's score of the search text, if the trials have left it: to the bit what would
  ///   be measured here.
  private func confirm(
    _ reductions: [Reduction], searched: Score?, memory: Int, scratchFolder: String, spentBudget: Bool,
    seconds: () -> Double,
    report: @escaping (Event) throws -> Void
  ) throws -> SearchRecord.Result {
    let lasered = reductions.isEmpty ? nil : try reducer.applying(reductions, scratchFolder: scratchFolder)
    let steps = lasered == nil ? 2.0 : searched == nil ? 4 : 3
    var finished = 0.0
    func step<Value>(_ body: ((Double) throws -> Void) throws -> Value) throws -> Value {
      defer { finished += 1 / steps }
      return try body { try report(.confirmation(share: finished + $0 / steps)) }
    }
    var routing: [RoutingStatistics]? = model.configuration.mixture == nil ? nil : []
    func scores(
      _ evaluation: Evaluation, known: Score? = nil
    ) throws -> (original: [WindowScore], lasered: [WindowScore]) {
      let original = try step { progress in
        guard routing != nil else { return try evaluation.score(model, memory: memory, progress: progress) }
        let (score, statistics) = try evaluation.scoreAndRouting(model, memory: memory, progress: progress)
        routing?.append(contentsOf: statistics)
        return score
      }
      let changed = try lasered.map { lasered in
        try known ?? step { try evaluation.score(lasered, memory: memory, progress: $0) }
      }
      return (original.windows, (changed ?? original).windows)
    }
    let found = try scores(text, known: searched)
    let confirmed = try scores(heldOut)
    return SearchRecord.Result(
      searchBaseline: found.original, search: found.lasered, heldOutBaseline: confirmed.original,
      heldOut: confirmed.lasered, routing: routing, spentBudget: spentBudget, seconds: seconds())
  }

  private func plan(_ outcome: SearchOutcome, folder: String) -> Plan {
    Plan(
      model: record.model.fingerprint,
      base: record.base.map { .init(path: relativePath(to: $0.path, from: folder), fingerprint: $0.fingerprint) },
      reductions: outcome.kept.map {
        Plan.Entry(
          $0.reduction, model: model, delta: $0.pairedDelta?.mean, standardError: $0.pairedDelta?.standardError)
      })
  }
}
