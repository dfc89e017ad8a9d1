internal import FoundationEssentials
package import Wording

extension ProcessGroup {
  /// What the first process reads or makes, in all of them. Only the first calls the body; if it fails there, that process
  /// ends, and the others with it.
  package func fromFirst<Value: Codable>(_ body: () throws -> Value) throws -> Value {
    guard !isAlone else { return try body() }
    guard isFirst else {
      return try JSONDecoder().decode(Value.self, from: Data(broadcast([UInt8](), from: 0)))
    }
    let value = try body()
    _ = broadcast(Array(try JSONEncoder().encode(value)), from: 0)
    return value
  }

  /// A value of each process, by rank.
  package func gather<Value: Codable>(codable own: Value) throws -> [Value] {
    guard !isAlone else { return [own] }
    return try gather(Array(try JSONEncoder().encode(own))).map {
      try JSONDecoder().decode(Value.self, from: Data($0))
    }
  }

  /// A text of each process, by rank.
  package func gather(_ text: String) -> [String] {
    gather(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Makes sure that all processes have the same of something that their results depend on.
  ///
  /// - Parameter facts: What it is, and what it is here.
  /// - Throws: `InputError`, in all processes, that names the first difference.
  package func refuseDifferences(_ facts: [(what: String, value: String)]) throws(InputError) {
    guard !isAlone else { return }
    let hosts = gather(Self.hostName)
    for (what, value) in facts {
      let values = gather(value)
      guard let other = values.firstIndex(where: { $0 != values[0] }) else { continue }
      throw InputError(
        "process \(other) on \(printable(hosts[other])) has another \(what) than process 0 on \(printable(hosts[0])): "
          + "\(printable(values[other])) instead of \(printable(values[0])); all processes of a run need the same")
    }
  }
}
