internal import Checkpoints
internal import FoundationEssentials
internal import Glibc

/// A file of JSON objects, one a line, that is only ever appended to. A line torn by an interruption is cut off when the
/// file is opened again. One process at a time has it.
struct LineFile: ~Copyable {
  let path: String
  private let descriptor: Int32

  /// - Parameter validBytes: How many bytes at the beginning are whole lines, once the file is locked; the rest is cut off.
  init(path: String, validBytes: () throws -> Int) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SearchError("\(path): \(String(cString: strerror(errno)))") }
    do {
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        throw SearchError("\(path): another search is writing to it")
      }
      guard ftruncate(descriptor, off_t(try validBytes())) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
        throw SearchError("\(path): \(String(cString: strerror(errno)))")
      }
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Appends a line.
  ///
  /// - Parameter synced: Whether the line is on disk when this returns.
  func append(_ value: some Encodable, synced: Bool) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var line = Array(try encoder.encode(value))
    line.append(UInt8(ascii: "\n"))
    var done = 0
    while done < line.count {
      let count = line[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SearchError("\(path): \(String(cString: strerror(errno)))") }
      done += count
    }
    guard !synced || fsync(descriptor) == 0 else { throw SearchError("\(path): \(String(cString: strerror(errno)))") }
  }

  /// The values of a file's whole lines, and how many bytes those lines have. No file has none.
  static func read<Value: Decodable>(
    _ path: String, as type: Value.Type, problem: (_ line: Int) -> SearchError
  ) throws -> (values: [Value], byteCount: Int) {
    guard FileManager.default.fileExists(atPath: path) else { return ([], 0) }
    let bytes = try MappedFile(path: path).withBytes { Array($0) }
    var values: [Value] = []
    var end = 0
    while let newline = bytes[end...].firstIndex(of: UInt8(ascii: "\n")) {
      do {
        values.append(try JSONDecoder().decode(Value.self, from: Data(bytes[end..<newline])))
      } catch {
        throw problem(values.count + 1)
      }
      end = newline + 1
    }
    return (values, end)
  }
}
