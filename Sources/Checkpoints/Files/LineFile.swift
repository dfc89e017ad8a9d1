internal import FoundationEssentials
internal import Glibc
internal import SystemPackage

/// A file of JSON objects, one a line, that is only ever appended to. A line torn by an interruption is cut off when
/// the file is opened again. One process at a time has it. A file that is not one of its kind stays as it is.
package struct LineFile: ~Copyable {
  private let path: String
  private let descriptor: FileDescriptor?

  /// One that keeps nothing: of a process that helps another, which keeps the file.
  package static var nowhere: LineFile { LineFile() }

  private init() { (path, descriptor) = ("", nil) }

  /// - Parameters:
  ///   - beginnings: What the first line of such a file may begin with. One that is cut off within its first line is told
  ///     by it from a file that somebody else put there.
  ///   - validBytes: How many bytes at the beginning are whole lines, once the file is locked; the rest is cut off.
  package init(path: String, beginnings: [String], validBytes: () throws -> Int) throws {
    guard status(of: path)?.type != .symbolicLink else { throw CheckpointError.link(path) }
    let descriptor = try CheckpointError.naming(path) {
      try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec, .noFollow, .nonBlocking],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    }
    do {
      guard try CheckpointError.naming(path, { try Stat(descriptor) }).type == .regular else {
        throw CheckpointError(.exists, file: path, "not a regular file; use another folder")
      }
      guard (try? descriptor.lock()) != nil else {
        throw CheckpointError(
          .exists, file: path, "another laser is writing it; wait for that one, or use another folder")
      }
      let end = Int64(try validBytes())
      try Self.refuseForeign(descriptor, path: path, beginnings: beginnings)
      try CheckpointError.naming(path) {
        // A file that is only read keeps its time: `RecipeOutputs` compares it.
        if try Stat(descriptor).size != end { try descriptor.resize(to: end) }
        try descriptor.seek(offset: 0, from: .end)
      }
    } catch {
      try? descriptor.close()
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { try? descriptor?.close() }

  /// The bytes of the file, and when it was last written, in seconds since 1970; nil if it is not there.
  package static func extent(_ path: String) -> (bytes: Int, written: Double)? {
    status(of: path).map { (Int($0.size), $0.modified) }
  }

  private static func refuseForeign(
    _ descriptor: FileDescriptor, path: String, beginnings: [String]
  ) throws(CheckpointError) {
    let length = beginnings.map(\.utf8.count).max() ?? 0
    let first = try CheckpointError.naming(path) {
      var bytes = [UInt8](repeating: 0, count: length)
      let count = try bytes.withUnsafeMutableBytes { try descriptor.read(fromAbsoluteOffset: 0, into: $0) }
      return bytes.prefix(count)
    }
    guard beginnings.contains(where: { zip($0.utf8, first).allSatisfy { $0 == $1 } }) else {
      throw CheckpointError(.exists, file: path, "laser did not write it, so it stays as it is; use another folder")
    }
  }

  /// Appends a line.
  ///
  /// - Parameter synced: Whether the line is on disk when this returns.
  /// - Throws: `CheckpointError` where another process has written to the file, as it can where locks do not reach it.
  package func append(_ value: some Encodable, synced: Bool) throws {
    guard let descriptor else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var line = Array(try encoder.encode(value))
    line.append(UInt8(ascii: "\n"))
    try CheckpointError.naming(path) {
      guard try descriptor.seek(offset: 0, from: .current) == Stat(descriptor).size else {
        throw CheckpointError(.exists, file: path, "another process has written to it; see what that one does")
      }
      try descriptor.writeAll(line)
      if synced { try descriptor.sync() }
    }
  }

  /// The values of a file's whole lines, and how many bytes those lines have. No file has none.
  package static func read<Value: Decodable>(
    _ path: String, as type: Value.Type, problem: (_ line: Int) -> any Error
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
