internal import FoundationEssentials
internal import Glibc

extension ProcessGroup {
  /// What this machine is called.
  package static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "unknown host" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// What each process of the machine that this one is on may have of it.
  package struct Neighbourhood: Sendable {
    /// Processes of the group on this host, this one among them.
    package let processes: Int
    /// Those of them that may use the very processors that this one may: 1 where the launcher bound each to its own.
    package let sharing: Int
  }

  /// Looks around; to be called by all processes.
  package func neighbourhood() -> Neighbourhood {
    guard !isAlone else { return Neighbourhood(processes: 1, sharing: 1) }
    let (host, processors) = (Self.hostName, Self.allowedProcessors)
    let hosts = gather(host)
    let allowed = gather(processors)
    let here = hosts.indices.filter { hosts[$0] == host }
    return Neighbourhood(processes: here.count, sharing: here.count { allowed[$0] == processors })
  }

  /// The processors that the launcher bound this process to, as the system lists them: "0-3,8".
  private static var allowedProcessors: String {
    let status = FileManager.default.contents(atPath: "/proc/self/status") ?? Data()
    let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first {
      $0.hasPrefix("Cpus_allowed_list:")
    }
    return line.map(String.init) ?? ""
  }
}
