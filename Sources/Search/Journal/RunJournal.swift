internal import Evaluation
internal import Processes

/// The journal of a run folder, opened for a search: a new one, that of the same search, which goes on, or a new one beside
/// that of a search which this one extends. Of processes that work together, the first keeps it.
struct RunJournal: ~Copyable {
  let journal: Journal
  let past: PastRecords
  /// Whether the folder had a journal of the same model, texts and measurements.
  let isContinued: Bool

  /// What there was before the search went on.
  private struct History: Codable {
    let records: [SearchRecord]
    /// Of a search that this one extends.
    let earlier: [SearchRecord]
    let isContinued: Bool
  }

  /// - Parameters:
  ///   - header: What is asked for now.
  ///   - extends: Told what is other than in the search that is extended, in words.
  /// - Throws: `InputError` where the folder has a search of something else, which stays as it is.
  static func open(
    in folder: String, for header: SearchRecord.Header, _ processes: ProcessGroup, extends: ([String]) throws -> Void
  ) throws -> RunJournal {
    guard processes.isFirst else {
      let history = try processes.fromFirst { History(records: [], earlier: [], isContinued: false) }
      return RunJournal(Journal(keptElsewhere: history.records), history, header, in: folder)
    }
    var journal = try Journal(in: folder)
    var records = journal.records
    let past = PastRecords(records)
    let changes = try past.header?.changes(to: header, in: folder) ?? []
    if past.header == nil || !changes.isEmpty {
      var header = header
      (header.started, header.machine) = (Machine.now, Machine.description)
      records = [.header(header)]
      if !changes.isEmpty {
        try extends(changes)
        journal = try journal.setAside(in: folder)
        // The search text is the same.
        if let original = past.original { records.append(.original(.init(windows: original.windows))) }
      }
      for record in records { try journal.append(record) }
    }
    let history = History(
      records: records, earlier: try Journal.readEarlier(in: folder), isContinued: past.header != nil)
    return RunJournal(journal, try processes.fromFirst { history }, header, in: folder)
  }

  private init(
    _ journal: consuming Journal, _ history: History, _ header: SearchRecord.Header, in folder: String
  ) {
    var past = PastRecords(history.records)
    let earlier = PastRecords(history.earlier)
    if !past.isFinished, (try? earlier.header?.changes(to: header, in: folder)) != nil {
      past.use(earlier, now: header)
    }
    self.journal = journal
    self.past = past
    isContinued = history.isContinued
  }
}
