internal import Checkpoints
internal import Evaluation
internal import Inference
package import Models
package import Processes
package import RankReduction
internal import Tensors
internal import Tokenization
internal import Wording

/// A search made ready: files opened, texts tokenized, sites and ranks resolved. Everything that can be wrong with its
/// settings has been found by then.
package struct Search: Sendable {
  package let settings: SearchSettings
  package let inputs: SearchInputs
  /// Where the model lies, and its base.
  package let modelFolder: String
  package let baseFolder: String?
  package let model: Model
  package private(set) var reducer: Reducer
  private let program: String
  let text: Evaluation
  let heldOut: Evaluation
  /// What may not get worse; nil where nothing is guarded.
  let guarded: Evaluation?
  /// From the last layer down.
  let sites: [Site]
  /// Who works on it together: each has the same settings.
  package let processes: ProcessGroup

  /// What a search tells while it runs.
  package enum Event: Sendable {
    /// The run folder has a search that this one extends; what is other now, in words.
    case extends([String])
    /// The run folder was another machine's, of which there was no sign of life for long; what is to be said of it.
    case takesOver(String)
    /// The run folder is there, and nothing was run yet.
    case begun
    case baseline(share: Double)
    /// The statistics of directions are made.
    case statistics(share: Double)
    case trial(SearchRecord.Trial, TrialProgress)
    /// A rung of the search for a damping; nil while it is measured.
    ///
    /// - Parameter isNew: Whether it is measured now, and not read from the journal.
    case rung(SearchRecord.Rung?, share: Double, isNew: Bool)
    /// The result is measured on both texts.
    case confirmation(share: Double)
  }

  package init(_ settings: SearchSettings, program: String, processes: ProcessGroup = .alone) throws {
    self.settings = settings
    self.processes = processes
    self.program = program
    modelFolder = try modelPath(settings.model)
    baseFolder = try settings.base.map { try modelPath($0) }
    let model = try Model(path: modelFolder)
    self.model = try settings.expertsPerToken.map { try model.withExpertsPerToken($0) } ?? model
    let base = try baseFolder.map { try Model(path: $0) }
    reducer = try Reducer(self.model, base: base, isControl: settings.isControl)
    sites = try settings.selection.sites(of: model)
    for site in sites {
      try reducer.check(site)
      for rule in settings.rankRules { try rule.check(fullRank: reducer.fullRank(of: site)) }
    }
    let material = try SearchMaterial(settings, model, Tokenizer(path: modelFolder))
    func divided(_ evaluation: Evaluation) -> Evaluation {
      var evaluation = evaluation
      evaluation.processes = processes
      return evaluation
    }
    (text, heldOut, guarded) = (divided(material.search), divided(material.heldOut), material.guarded.map(divided))
    func texts(_ evaluation: Evaluation) -> [SearchInputs.Text] {
      zip(evaluation.corpora, evaluation.ranges).map {
        SearchInputs.Text(
          path: $0.path, fingerprint: $0.fingerprint.description, windows: $1.count, bytes: $0.byteCount)
      }
    }
    func file(_ path: String, _ checkpoint: Checkpoint) -> SearchInputs.File {
      SearchInputs.File(path: path, fingerprint: checkpoint.fingerprint.description, bytes: checkpoint.byteCount)
    }
    inputs = SearchInputs(
      model: file(settings.model, model.checkpoint),
      tokenizer: try Tokenizer.fingerprint(path: modelFolder).description,
      base: base.map { file($0.checkpoint.path, $0.checkpoint) },
      text: texts(text), heldOut: texts(heldOut), guarded: guarded.map(texts))
  }

  /// The base, if it has a row for every token that the model knows, so that it reads the same texts.
  var comparableBase: Model? {
    reducer.base.flatMap { $0.configuration.vocabularySize >= model.configuration.vocabularySize ? $0 : nil }
  }

  /// Of all that statistics of the search text depend on: the files, and how windows are made of them.
  var statisticsOrigin: Fingerprint {
    var fingerprint = Fingerprint()
    for file in [inputs.model.fingerprint, inputs.base?.fingerprint ?? "none", inputs.tokenizer] {
      fingerprint.update(file)
    }
    for text in inputs.text { fingerprint.update("\(text.fingerprint) \(text.windows)") }
    for name in ["convention", "context", "stride", "experts-per-token", "control"] {
      let setting = Setting.all.first { $0.name == name }
      fingerprint.update("\(name) \(setting?.write(settings) ?? [])")
    }
    if !settings.questions.isEmpty {
      fingerprint.update("questions \(settings.text.count) \(settings.shareOfQuestions) \(settings.querySuffix)")
    }
    return fingerprint
  }

  /// The order in which trials run over the windows.
  var rounds: WindowRounds { WindowRounds(count: text.windows.count, exhaustive: settings.isExhaustive) }

  /// Runs the search, or goes on where its journal ends, and returns what it found; nil in processes that help the first one,
  /// which alone writes files.
  ///
  /// - Parameters:
  ///   - folder: The run folder; made if it is not there. It receives journal.jsonl, spectra.jsonl and plan.yaml.
  ///   - memory: Bytes that the search may take: see `MemoryPlan`; the same in all processes. States kept for trials beyond
  ///     it go to disk, in the run folder.
  ///   - report: Called as the search goes on, after what it tells is on disk. What it throws ends the search, which
  ///     can be continued later.
  package func run(
    in folder: String, memory: Int, report: @escaping (Event) throws -> Void
  ) throws -> SearchOutcome? {
    let screening =
      settings.strategy.screensTrials
      ? PrecisionScreening(
        in: settings.screening, of: model, on: text, rounds, memory: memory, others: reducer.byteCount(of: sites)) : nil
    // What is recorded is the precision that is used: it takes a processor and memory for it.
    var used = settings
    used.screening = screening?.precision ?? .float32
    let header = SearchRecord.Header(program: program, settings: used, inputs: inputs)
    try refuseDifferences(header)
    if processes.isFirst { try RunFolder.make(folder, inputs: settings.files) }
    let lock = processes.isFirst ? try FolderLock(folder) { try report(.takesOver($0)) } : nil
    defer { lock?.release() }
    let report = lock?.guarding(report) ?? report
    let opened = try RunJournal.open(in: folder, for: header, processes) { try report(.extends($0)) }
    let past = opened.past
    let clock = ContinuousClock()
    let start = clock.now
    let secondsBefore = past.seconds
    let seconds = { secondsBefore + (clock.now - start) / .seconds(1) }

    if !past.isFinished {
      let scratchFolder = processes.isFirst ? folder : RunFolder.scratch(for: folder)
      var search = self
      search.reducer = reducer.dividing(among: processes).keepingDecompositions(in: scratchFolder)
      var context = SearchContext(
        search, log: TrialLog(opened.journal, past: past),
        spectra: try SpectrumCache(in: folder, kind: reducer.kind, continues: opened.isContinued, processes),
        screening: screening, memory: memory, folder: scratchFolder, seconds: seconds, report: report)
      try report(.begun)
      try settings.strategy.run(&context)
      let (original, searched) = context.end()
      let confirmation = Confirmation(
        search, heldOut: heldOut, memory: memory, scratchFolder: scratchFolder, report: report)
      var result = try confirmation.result(
        of: context.kept, original: original, searched: searched, alternatives: context.alternatives)
      result.spentBudget = context.hasSpentBudget
      result.seconds = seconds()
      for model in [model, reducer.base].compactMap(\.self) { try model.checkpoint.refuseChange() }
      try context.finish(result)
    }
    guard processes.isFirst else { return nil }
    let outcome = try SearchOutcome(folder: folder)
    if !settings.isControl { try AtomicFile.write(plan(outcome, folder: folder).yaml, to: folder + "/plan.yaml") }
    return outcome
  }

  /// All processes must search the same, with the same arithmetic.
  private func refuseDifferences(_ header: SearchRecord.Header) throws {
    let texts = [header.inputs.text, header.inputs.heldOut, header.inputs.guarded ?? []]
    try processes.refuseDifferences(
      ProcessorKernels.facts + [
        ("version of laser", header.program), ("model", header.inputs.model.fingerprint),
        ("base", header.inputs.base?.fingerprint ?? "none"), ("tokenizer", header.inputs.tokenizer),
        ("text", texts.joined().map(\.fingerprint).joined(separator: " ")),
        (
          "setting",
          Setting.all.filter { !$0.isPath }.map { "\($0.label) \($0.write(header.settings).joined(separator: ","))" }
            .joined(separator: "; ")
        ),
      ])
  }

  private func plan(_ outcome: SearchOutcome, folder: String) -> Plan {
    Plan(
      model: inputs.model.fingerprint,
      base: inputs.base.map { .init(path: relativePath(to: $0.path, from: folder), fingerprint: $0.fingerprint) },
      reductions: outcome.kept.enumerated().map { index, trial in
        Plan.Entry(
          outcome.reduction(of: trial), model: model, filter: trial.filter,
          matrix: outcome.matrices.indices.contains(index) ? outcome.matrices[index] : nil,
          // A filter's share of what all of them do together is a prediction.
          delta: trial.filter == nil ? trial.pairedDelta?.mean : nil,
          standardError: trial.filter == nil ? trial.pairedDelta?.standardError : nil)
      })
  }
}
