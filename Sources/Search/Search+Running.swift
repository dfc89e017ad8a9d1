internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import Processes
internal import RankReduction
internal import Tensors

extension Search {
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
    in folder: String, memory: Int, report: @escaping (SearchEvent) throws -> Void
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
      try settings.strategy.search.run(&context)
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
