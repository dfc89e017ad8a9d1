internal import FoundationEssentials
internal import SystemPackage

/// A file of JSON objects, one a line, that is only ever appended to. A line torn by an interruption is cut off when
/// the file is opened again. One process at a time has it.
package struct LineFile: ~Copyable {
  private let path: String
  private let descriptor: FileDescriptor

  /// - Parameter validBytes: How many bytes at the beginning are whole lines, once the file is locked; the rest is cut
  ///   off.
  package init(path: String, validBytes: () throws -> Int) throws {
    let descriptor = try CheckpointError.naming(path) {
      try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite, .groupRead, .otherRead])
    }
    do {
      guard (try? descriptor.lock()) != nil else {
        throw CheckpointError(.exists, file: path, "another search is writing to it")
      }
      let end = Int64(try validBytes())
      try CheckpointError.naming(path) {
        try descriptor.resize(to: end)
        try descriptor.seek(offset: 0, from: .end)
      }
    } catch {
      try? descriptor.close()
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { try? descriptor.close() }

  /// Appends a line.
  ///
  /// - Parameter synced: Whether the line is on disk when this returns.
  package func append(_ value: some Encodable, synced: Bool) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var line = Array(try encoder.encode(value))
    line.append(UInt8(ascii: "\n"))
    try CheckpointError.naming(path) {
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
