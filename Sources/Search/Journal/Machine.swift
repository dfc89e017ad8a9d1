internal import FoundationEssentials
internal import Glibc
internal import Wording

/// When and on what a search runs, as its journal says it.
package enum Machine {
  /// The time in UTC: "2026-11-26T07:50:37Z".
  static var now: String { Date.now.formatted(.iso8601) }

  /// The processor, its threads and the memory: "AMD EPYC 9R14, 16 threads, 32 GB".
  static var description: String {
    let threads = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    let memory = "\(Int((Double(physicalMemory) / 1e9).rounded())) GB"
    return "\(processor), \(threads) \(threads == 1 ? "thread" : "threads"), \(memory)"
  }

  /// Bytes.
  package static var physicalMemory: Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }

  /// What the system calls the processor; its architecture where it has no name.
  package static var processor: String {
    let bytes = FileManager.default.contents(atPath: "/proc/cpuinfo") ?? Data()
    let name = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("model name") }?.split(separator: ":", maxSplits: 1).last
    guard let name else {
      #if arch(arm64)
        return "arm64"
      #else
        return "x86-64"
      #endif
    }
    return printable(name.split(separator: " ").joined(separator: " "))
  }
}
