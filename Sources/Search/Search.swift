internal import Checkpoints
internal import Evaluation
internal import FoundationEssentials
package import Inference
package import RankReduction
internal import Tokenization

/// A search made ready: files opened, texts tokenized, sites and ranks resolved. Everything that can be wrong with its
/// settings has been found by then.
package struct Search: Sendable {
  package let settings: SearchSettings
  package let model: Model
  package let reducer: Reducer
  package let record: SearchRecord.Settings
  private let text: Evaluation
  private let heldOut: Evaluation
  /// In the order in which they are tried.
  private let sites: [Site]

  /// What a search tells while it runs.
  package enum Event: Sendable {
    case baseline(share: Double)
    case trial(SearchRecord.Trial, of: Int)
    /// The result is measured on both texts.
    case confirmation(share: Double)
  }

  package init(_ settings: SearchSettings, program: String) throws {
    self.settings = settings
    model = try Model(folder: settings.model)
    let base = try settings.base.map { try Model(folder: $0) }
    reducer = try Reducer(model, base: base)
    sites = try settings.selection.sites(of: model)
    for site in sites {
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
      stride: settings.convention.stride, layers: settings.selection.layers.description,
      experts: settings.selection.experts.description, roles: settings.selection.roles.map(\.rawValue),
      ranks: settings.ranks.map(\.description), confidence: settings.confidence,
      falseDiscoveryRate: settings.falseDiscoveryRate, isExhaustive: settings.isExhaustive)
  }

  /// A text that counts twice would look like twice the evidence.
  private static func refuseRepeatedTexts(_ corpora: [Corpus]) throws(SearchError) {
    for (index, corpus) in corpora.enumerated()
    where corpora[..<index].contains(where: { $0.fingerprint == corpus.fingerprint }) {
      throw SearchError(
        "\(corpus.path): the same text is given twice; a search needs different texts to search on and to hold out")
    }
  }

  /// Fewer where rules give the same rank.
  package var largestTrialCount: Int { sites.count * settings.ranks.count }

  /// Runs the search, or goes on where its journal ends, and returns what it found.
  ///
  /// - Parameters:
  ///   - folder: The run folder; made if it is not there. It receives journal.jsonl and plan.yaml.
  ///   - report: Called as the search goes on, after what it tells is on disk. What it throws ends the search, which can
  ///     be continued later.
  package func run(in folder: String, report: (Event) throws -> Void) throws -> SearchOutcome {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let journal = try Journal(path: folder + "/journal.jsonl")
    var past = PastRecords(journal.records)
    if let settings = past.settings {
      try settings.refuseDifferences(from: record, in: folder)
    } else {
      try journal.append(.settings(record))
    }
    let clock = ContinuousClock()
    let start = clock.now
    let secondsBefore = past.seconds
    func seconds() -> Double { secondsBefore + (clock.now - start) / .seconds(1) }

    if !past.isFinished {
      let reductions = try sweep(&past, journal, seconds: seconds, report: report)
      try journal.append(.result(confirm(reductions, seconds: seconds, report: report)))
    }
    let outcome = try SearchOutcome(Journal.read(folder + "/journal.jsonl").records)
    try AtomicFile.write(plan(outcome, folder: folder).yaml, to: folder + "/plan.yaml")
    return outcome
  }

  /// From the last layer down: each rank of each site against the model as it then is.
  ///
  /// Trials that the journal already holds are not made again; their decisions are.
  private func sweep(
    _ past: inout PastRecords, _ journal: borrowing Journal, seconds: () -> Double, report: (Event) throws -> Void
  ) throws -> [Reduction] {
    let rounds = WindowRounds(count: text.windows.count, exhaustive: settings.isExhaustive)
    let futility = FutilityRule(looks: rounds.rounds.count - 1, windowCount: text.windows.count)
    var acceptance = Acceptance(
      confidence: settings.confidence, falseDiscoveryRate: settings.falseDiscoveryRate)
    var scorer = try TrialScorer(model, text, rounds: rounds, firstLayer: sites.last?.layer ?? 0) {
      try report(.baseline(share: $0))
    }
    var kept: [Reduction] = []
    var number = 0
    for layer in Set(sites.map(\.layer)).sorted(by: >) {
      var isEntered = false
      for decomposition in reducer.decompositions(of: sites.filter { $0.layer == layer }) {
        let decomposition = try decomposition.get()
        let site = decomposition.site
        for rank in ranks(of: decomposition) {
          number += 1
          let reduction = Reduction(site: site, kind: reducer.kind, rank: rank)
          let trial: SearchRecord.Trial
          if let recorded = try past.nextTrial(reduction, number: number) {
            trial = recorded
            if recorded.kept {
              scorer.assume(replacing: site, by: decomposition.reduced(to: rank))
              isEntered = false
            }
          } else {
            if !isEntered { try scorer.enter(layer: layer) }
            isEntered = true
            let level = acceptance.level
            let outcome = try scorer.score(replacing: site, by: decomposition.reduced(to: rank)) {
              futility.stops($0, windows: $1, level: level)
            }
            let keeps = outcome.isComplete && acceptance.keeps(outcome.delta, windows: outcome.after.windows.count)
            trial = SearchRecord.Trial(
              number: number, reduction, tensor: model.reference(of: site), outcome, level: level, kept: keeps,
              seconds: seconds())
            try journal.append(.trial(trial))
            if keeps { try scorer.keep(outcome, changing: site) }
          }
          if trial.kept {
            kept.removeAll { $0.site == site }
            kept.append(reduction)
          }
          acceptance.record(trial.pairedDelta, windows: trial.windowsUsed, kept: trial.kept)
          try report(.trial(trial, of: largestTrialCount))
        }
      }
    }
    return kept
  }

  /// Each rank once, in the order of the rules.
  private func ranks(of decomposition: SiteDecomposition) -> [Int] {
    var ranks: [Int] = []
    for rule in settings.ranks {
      let rank = rule.rank(for: decomposition.spectrum)
      if !ranks.contains(rank) { ranks.append(rank) }
    }
    return ranks
  }

  /// The original and the lasered model on both texts.
  private func confirm(
    _ reductions: [Reduction], seconds: () -> Double, report: (Event) throws -> Void
  ) throws -> SearchRecord.Result {
    let lasered = try reducer.applying(reductions)
    var finished = 0.0
    func score(_ evaluation: Evaluation, _ model: Model) throws -> [WindowScore] {
      defer { finished += 0.25 }
      return try evaluation.score(model) { try report(.confirmation(share: finished + 0.25 * $0)) }.windows
    }
    return try SearchRecord.Result(
      searchBaseline: score(text, model), search: score(text, lasered), heldOutBaseline: score(heldOut, model),
      heldOut: score(heldOut, lasered), seconds: seconds())
  }

  private func plan(_ outcome: SearchOutcome, folder: String) -> Plan {
    Plan(
      model: record.model.fingerprint,
      base: record.base.map { .init(path: relativePath(to: $0.path, from: folder), fingerprint: $0.fingerprint) },
      reductions: outcome.kept.map {
        Plan.Entry($0.reduction, model: model, delta: $0.delta, standardError: $0.standardError)
      })
  }
}

extension SearchRecord.Trial {
  init(
    number: Int, _ reduction: Reduction, tensor: TensorReference, _ outcome: TrialScorer.Outcome, level: Double,
    kept: Bool, seconds: Double
  ) {
    let delta = outcome.delta
    self.init(
      number: number, tensor: tensor.name, layer: reduction.site.layer, expert: reduction.site.expert,
      role: reduction.site.role, kind: reduction.kind, rank: reduction.rank, fullRank: min(tensor.rows, tensor.columns),
      windowsUsed: outcome.after.windows.count, nll: outcome.after.meanNLL, delta: delta.mean,
      standardError: delta.standardError, level: level, kept: kept, seconds: seconds)
  }
}
