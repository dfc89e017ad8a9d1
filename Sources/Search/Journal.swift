internal import Checkpoints
internal import FoundationEssentials
internal import Glibc

/// The append-only record of a search: one JSON object a line, each on disk before the next trial starts.
///
/// A line that was torn by an interruption is cut off when the journal is opened again.
package struct Journal: ~Copyable {
  private let path: String
  private let descriptor: Int32
  /// What was there when the journal was opened.
  package let records: [SearchRecord]

  package init(path: String) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SearchError("\(path): \(String(cString: strerror(errno)))") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw SearchError("\(path): another search is writing to it")
    }
    let records: [SearchRecord]
    let validBytes: Int
    do { (records, validBytes) = try Self.read(path) } catch {
      close(descriptor)
      throw error
    }
    guard ftruncate(descriptor, off_t(validBytes)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
      close(descriptor)
      throw SearchError("\(path): \(String(cString: strerror(errno)))")
    }
    self.path = path
    self.descriptor = descriptor
    self.records = records
  }

  deinit { close(descriptor) }

  package func append(_ record: SearchRecord) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var line = Array(try encoder.encode(record))
    line.append(UInt8(ascii: "\n"))
    var done = 0
    while done < line.count {
      let count = line[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SearchError("\(path): \(String(cString: strerror(errno)))") }
      done += count
    }
    guard fsync(descriptor) == 0 else { throw SearchError("\(path): \(String(cString: strerror(errno)))") }
  }

  /// The records of a journal's whole lines, and how many bytes those lines have. No file has none.
  package static func read(_ path: String) throws -> (records: [SearchRecord], byteCount: Int) {
    guard FileManager.default.fileExists(atPath: path) else { return ([], 0) }
    let bytes = try MappedFile(path: path).withBytes { Array($0) }
    var records: [SearchRecord] = []
    var end = 0
    while let newline = bytes[end...].firstIndex(of: UInt8(ascii: "\n")) {
      do {
        records.append(try JSONDecoder().decode(SearchRecord.self, from: Data(bytes[end..<newline])))
      } catch {
        throw SearchError("\(path), line \(records.count + 1): not a record of a journal; use another run folder")
      }
      end = newline + 1
    }
    return (records, end)
  }
}
