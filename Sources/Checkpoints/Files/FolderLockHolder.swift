internal import FoundationEssentials
internal import Glibc
internal import Processes
internal import Tensors

/// The process that a folder's lock names.
package struct FolderLockHolder: Codable, Equatable, Sendable {
  package let host: String
  package let process: Int32
  /// Since when it is at work, in UTC: "2026-11-26T07:50:37Z".
  package let since: String
  /// When it started, in ticks since the machine did: tells it from a later process with its number.
  package let start: UInt64
  /// The kernel's number of this start of the machine.
  package let boot: String
  /// Which process table its number belongs to: that of the machine or of a container.
  package let table: String
  /// Random: no two locks have the same.
  package let number: String

  package init(host: String, process: Int32, since: String, start: UInt64, boot: String, table: String, number: String)
  {
    (self.host, self.process, self.since, self.start) = (host, process, since, start)
    (self.boot, self.table, self.number) = (boot, table, number)
  }

  /// This process.
  package static func current() -> FolderLockHolder {
    let boot = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id") ?? Data()
    let number = String(UInt64.random(in: .min ... .max), radix: 16)
    return FolderLockHolder(
      host: ProcessGroup.hostName, process: getpid(), since: Date.now.formatted(.iso8601),
      start: ProcessState(getpid())?.start ?? 0,
      boot: String(decoding: boot, as: UTF8.self).filter { !$0.isWhitespace },
      table: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")) ?? "",
      number: String(repeating: "0", count: 16 - number.count) + number)
  }

  /// "node2, process 4711"
  package var name: String { "\(host), process \(process)" }

  /// What its lock file has: a JSON object.
  package var bytes: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Texts and whole numbers: there is nothing that could not be written.
    return Array((try? encoder.encode(self)) ?? Data()) + [UInt8(ascii: "\n")]
  }

  /// Whether this machine's process table, or this container's, has its number.
  var isOfThisMachine: Bool {
    let own = Self.current()
    return boot == own.boot && table == own.table && !boot.isEmpty && !table.isEmpty
  }

  /// Whether the process is there; nil if that cannot be known here.
  var isAlive: Bool? {
    guard isOfThisMachine else { return nil }
    if let state = ProcessState(process) { return state.start == start && !state.hasEnded }
    // Where /proc hides the processes of others, their numbers are known all the same.
    return processExists(process) ? nil : false
  }
}

/// What /proc says of a process.
private struct ProcessState {
  /// In ticks since the machine started.
  let start: UInt64
  /// Whether all that is left is for its parent to ask how it ended.
  let hasEnded: Bool

  init?(_ process: Int32) {
    guard let bytes = FileManager.default.contents(atPath: "/proc/\(process)/stat") else { return nil }
    // The second field is the program's name in parentheses, which may hold anything.
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 19, let start = UInt64(fields[19]) else { return nil }
    self.start = start
    hasEnded = ["Z", "X"].contains(fields[0])
  }
}
