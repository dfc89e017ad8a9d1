internal import Checkpoints
internal import Wording

/// The append-only record of a search: one JSON object a line, each on disk before the next trial starts.
package struct Journal: ~Copyable {
  private let file: LineFile
  /// What was there when the journal was opened.
  package let records: [SearchRecord]

  package static func path(in folder: String) -> String { folder + "/journal.jsonl" }

  package init(in folder: String) throws {
    let path = Self.path(in: folder)
    var records: [SearchRecord] = []
    file = try LineFile(path: path, beginnings: [#"{"inputs":{"#]) {
      let (values, byteCount) = try Self.readLines(path)
      records = values
      return byteCount
    }
    self.records = records
  }

  /// The journal that another process keeps.
  init(keptElsewhere records: [SearchRecord]) {
    file = .nowhere
    self.records = records
  }

  /// Starts another journal, and keeps this one beside it as journal-1.jsonl, or with the next number.
  consuming func setAside(in folder: String) throws -> Journal {
    let number = Self.earlierPaths(in: folder).count + 1
    try AtomicFile.move(Self.path(in: folder), to: folder + "/journal-\(number).jsonl")
    return try Journal(in: folder)
  }

  /// The records of the last journal that was set aside; none if there is no such.
  static func readEarlier(in folder: String) throws -> [SearchRecord] {
    try earlierPaths(in: folder).last.map { try readLines($0).values } ?? []
  }

  private static func earlierPaths(in folder: String) -> [String] {
    (1...).lazy.map { "\(folder)/journal-\($0).jsonl" }.prefix { LineFile.extent($0) != nil }.map(\.self)
  }

  package func append(_ record: SearchRecord) throws { try file.append(record, synced: true) }

  /// The records of a run folder's journal; none if there is no journal.
  package static func read(in folder: String) throws -> [SearchRecord] { try readLines(path(in: folder)).values }

  private static func readLines(_ path: String) throws -> (values: [SearchRecord], byteCount: Int) {
    try LineFile.read(path, as: SearchRecord.self) { line in
      InputError("\(path), line \(line): not a record of a journal; use another run folder")
    }
  }
}
