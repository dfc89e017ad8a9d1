package import Checkpoints
package import Evaluation
internal import Wording

/// What is known of a search from its run folder, whether it runs, was interrupted or has ended. Nothing in the folder is
/// changed, and nothing beyond its journal is needed.
package struct RunStatus: Sendable {
  package let header: SearchRecord.Header
  /// Of the original model on the search text; nil before it was measured.
  package let original: Score?
  package let trials: [SearchRecord.Trial]
  package let rungs: [SearchRecord.Rung]
  package let kept: KeptSoFar
  package let isFinished: Bool
  /// The process that is at work there; nil if none is.
  package let process: FolderLockHolder?
  /// Worked until the last record, without the time between sessions.
  package let seconds: Double
  /// When the last record was written, in seconds since 1970; nil where the system does not say.
  package let lastRecord: Double?
  /// Of the journal.
  private let byteCount: Int

  /// What the search is at, as far as its records tell.
  package enum Phase: String, Sendable {
    /// The original model is run over the search text.
    case baseline
    /// The statistics of directions are made.
    case statistics
    case trials
    /// Of greedy: the best single reductions are put together.
    case composition
    /// The damping of filters is chosen.
    case damping
    /// The result is measured on both texts.
    case confirmation
    case finished
  }

  /// - Throws: `InputError` if there is no search in the folder.
  package init(folder: String) throws {
    let path = Journal.path(in: folder)
    // Before the journal is read: what is written meanwhile is then read again.
    let extent = LineFile.extent(path)
    let records = try Journal.read(in: folder)
    var (header, original): (SearchRecord.Header?, Score?) = (nil, nil)
    var (trials, rungs): ([SearchRecord.Trial], [SearchRecord.Rung]) = ([], [])
    for record in records {
      switch record {
      case .header(let value): header = value
      case .original(let value): original = Score(value.windows)
      case .trial(let value): trials.append(value)
      case .rung(let value): rungs.append(value)
      case .result: break
      }
    }
    guard let header else { throw InputError("\(folder): no journal of a search in it") }
    try header.refuseOtherVersion(in: folder)
    let past = PastRecords(records)
    self.header = header
    (self.original, self.trials, self.rungs) = (original, trials, rungs)
    kept = KeptSoFar(trials)
    (isFinished, seconds) = (past.isFinished, past.seconds)
    process = FolderLock.holder(in: folder)
    (byteCount, lastRecord) = (extent?.bytes ?? 0, extent?.written)
  }

  /// Whether there is something new in the folder, or nobody who would write it.
  package func isOutdated(in folder: String) -> Bool {
    let path = Journal.path(in: folder)
    return LineFile.extent(path)?.bytes ?? 0 != byteCount || FolderLock.holder(in: folder) != process
  }

  package var isRunning: Bool { process != nil }

  package var phase: Phase {
    if isFinished { return .finished }
    if let last = trials.last {
      switch last.phase {
      case .filters: return .confirmation
      case .composition: return .composition
      case .sweep, .single, .assignment: return .trials
      }
    }
    if !rungs.isEmpty { return .damping }
    let isFilters = header.settings.strategy == .filters
    guard original != nil else { return isFilters || header.settings.strategy.screensTrials ? .baseline : .trials }
    return isFilters ? .statistics : .trials
  }

  /// How many tests there were: trials, or rungs of the search for a damping.
  package var trialCount: Int { trials.count { $0.evidence == .measured } }

  /// Of each site that trials have kept something at, its last.
  package var keptTrials: [SearchRecord.Trial] {
    var last: [String: Int] = [:]
    let members = trials.flatMap(\.members)
    for (index, trial) in members.enumerated() where trial.kept { last["\(trial.site)"] = index }
    return last.values.sorted().map { members[$0] }
  }
}
