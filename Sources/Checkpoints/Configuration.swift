/// A JSON file of a checkpoint's folder, read member by member with errors that name the file and the key.
package struct Configuration: Sendable {
  package let file: String
  package let json: JSON

  package init(path: String) throws(CheckpointError) {
    let mapped = try MappedFile(path: path)
    try mapped.refuseGitLFSPointer()
    file = path
    do throws(JSON.SyntaxError) {
      json = try parsedJSON(mapped, 0..<mapped.byteCount, allowsNonFinite: true)
    } catch {
      throw CheckpointError(.malformed, file: path, error.description)
    }
    guard json.members != nil else { throw CheckpointError(.malformed, file: path, "not a JSON object") }
  }

  package init(file: String, json: JSON) {
    self.file = file
    self.json = json
  }

  /// The member, if it is there and not null.
  package subscript(key: String) -> JSON? {
    json[key].flatMap { $0.isNull ? nil : $0 }
  }

  /// Whether the key is not there at all; null is something else.
  package func isAbsent(_ key: String) -> Bool { json[key] == nil }

  package func error(_ code: CheckpointError.Code, _ problem: String) -> CheckpointError {
    CheckpointError(code, file: file, problem)
  }

  package func string(_ key: String) throws(CheckpointError) -> String {
    guard let value = self[key]?.string else { throw error(.malformed, "\"\(key)\" is missing or not a string") }
    return value
  }

  /// A whole number of a size that shapes can have.
  package func size(_ key: String, default fallback: Int? = nil) throws(CheckpointError) -> Int {
    if self[key] == nil, let fallback { return fallback }
    guard let value = self[key]?.integer, (1...1 << 31 - 1).contains(value) else {
      throw error(.malformed, "\"\(key)\" is missing or not a whole number from 1 to 2147483647")
    }
    return value
  }

  /// A whole number of things of which there may be none.
  package func count(_ key: String, default fallback: Int) throws(CheckpointError) -> Int {
    guard let value = self[key] else { return fallback }
    guard let value = value.integer, (0...1 << 31 - 1).contains(value) else {
      throw error(.malformed, "\"\(key)\" is not a whole number from 0 to 2147483647")
    }
    return value
  }

  package func number(_ key: String, default fallback: Double? = nil) throws(CheckpointError) -> Double {
    if self[key] == nil, let fallback { return fallback }
    guard let value = self[key]?.number, value.isFinite, value > 0 else {
      throw error(.malformed, "\"\(key)\" is missing or not a positive number")
    }
    return value
  }

  /// A positive number that float32 holds.
  package func float(_ key: String, default fallback: Double? = nil) throws(CheckpointError) -> Float {
    let number = Float(try number(key, default: fallback))
    guard number.isNormal else { throw error(.malformed, "\"\(key)\" is too large or too small for float32") }
    return number
  }

  package func flag(_ key: String, default fallback: Bool) throws(CheckpointError) -> Bool {
    guard let value = self[key] else { return fallback }
    guard let value = value.boolean else { throw error(.malformed, "\"\(key)\" is not true or false") }
    return value
  }
}
