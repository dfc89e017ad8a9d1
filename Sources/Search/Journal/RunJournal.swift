internal import Evaluation

/// The journal of a run folder, opened for a search: a new one, that of the same search, which goes on, or a new one beside
/// that of a search which this one extends.
struct RunJournal: ~Copyable {
  let journal: Journal
  let past: PastRecords
  /// Whether the folder had a journal of the same model, texts and measurements.
  let isContinued: Bool

  /// - Parameters:
  ///   - header: What is asked for now.
  ///   - extends: Told what is other than in the search that is extended, in words.
  /// - Throws: `InputError` where the folder has a search of something else, which stays as it is.
  static func open(
    in folder: String, for header: SearchRecord.Header, extends: ([String]) throws -> Void
  ) throws -> RunJournal {
    var journal = try Journal(in: folder)
    var past = PastRecords(journal.records)
    let changes = try past.header?.changes(to: header, in: folder) ?? []
    let isContinued = past.header != nil
    if past.header == nil || !changes.isEmpty {
      var header = header
      (header.started, header.machine) = (Machine.now, Machine.description)
      var first: [SearchRecord] = [.header(header)]
      if !changes.isEmpty {
        try extends(changes)
        journal = try journal.setAside(in: folder)
        // The search text is the same.
        if let original = past.original { first.append(.original(.init(windows: original.windows))) }
        past = PastRecords(first)
      }
      for record in first { try journal.append(record) }
    }
    let earlier = PastRecords(try Journal.readEarlier(in: folder))
    if !past.isFinished, (try? earlier.header?.changes(to: header, in: folder)) != nil {
      past.use(earlier, now: header)
    }
    return RunJournal(journal: journal, past: past, isContinued: isContinued)
  }
}
