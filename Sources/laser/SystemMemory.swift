internal import FoundationEssentials
internal import Search

/// How much memory there is: the machine's, and what a control group (of a container, say) leaves of it.
enum SystemMemory {
  /// What commands take if nothing is said: half of what this process may have.
  static var share: Int { min(Machine.physicalMemory, limit ?? Machine.physicalMemory) / 2 }

  /// Bytes that could be taken now without swapping; nil where the system does not say.
  static var available: Int? {
    for line in text("/proc/meminfo").split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }
    return nil
  }

  /// The least limit of the control groups that this process is in; nil if none is below the machine's memory.
  static var limit: Int? { limit(groups: text("/proc/self/cgroup"), read: text) }

  /// - Parameters:
  ///   - groups: As in /proc/self/cgroup: "0::/path" for version 2, "4:memory:/path" for version 1.
  ///   - read: The contents of a file; empty if there is none.
  private static func limit(groups: String, read: (String) -> String) -> Int? {
    var limits: [Int] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let (root, file): (String, String)
      if fields[1].isEmpty {
        (root, file) = ("/sys/fs/cgroup", "memory.max")
      } else if fields[1].split(separator: ",").contains("memory") {
        (root, file) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
      } else {
        continue
      }
      // A group's limit holds for those in it. In a container the path may be that outside.
      var parts = fields[2].split(separator: "/").map(String.init)
      while true {
        let value = read(([root] + parts + [file]).joined(separator: "/")).filter { !$0.isWhitespace }
        if let bytes = Int(value), bytes < Machine.physicalMemory { limits.append(bytes) }
        if parts.popLast() == nil { break }
      }
    }
    return limits.min()
  }

  private static func text(_ path: String) -> String {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
