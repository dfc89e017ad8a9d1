internal import ArgumentParser
internal import Checkpoints
internal import FoundationEssentials
internal import Glibc
internal import Reports
internal import Search
internal import Tensors
internal import Wording

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Show what laser runs on: processor, kernels, memory, disk.",
    discussion: """
      What it prints belongs into a bug report, beside the command and what it printed.

      Example: laser doctor
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    _ = common.begin()
    let found = Diagnosis()
    if json { print(try jsonText(found), terminator: "") } else { show(found.text) }
  }
}

/// The machine, as far as it decides what `laser` does and how fast.
private struct Diagnosis: Encodable {
  let version = Version.number
  let system = Self.systemName
  let processor = Machine.processor
  /// Processors that this process may use.
  let threads = Parallelism.threads
  /// Of the loops and products of our own.
  let instructions = ProcessorKernels.instructions
  let blas = BLAS()
  let memory = Memory()
  let disk = Disk()
  let cache = Cache()

  struct BLAS: Encodable {
    let library = ProcessorKernels.library
    let kernels = ProcessorKernels.coreName
    let reason = BLASKernelChoice.reason
    let threading = ProcessorKernels.threading
  }

  /// In bytes.
  struct Memory: Encodable {
    let physical = Machine.physicalMemory
    let available = SystemMemory.available
    /// Of a control group; absent if there is none.
    let limit = SystemMemory.limit
    /// What commands take without `--memory`.
    let share = SystemMemory.share
  }

  struct Disk: Encodable {
    let folder = FileManager.default.currentDirectoryPath
    /// Bytes; absent where the system does not say.
    let free = freeDisk(at: ".")
  }

  struct Cache: Encodable {
    let folder = HubCache.folder
    let isThere = isFolder(HubCache.folder)
    let models = HubCache.models

    enum CodingKeys: String, CodingKey {
      case folder, models
      case isThere = "exists"
    }
  }

  private static var systemName: String {
    var names = utsname()
    uname(&names)
    func string<Field>(_ field: Field) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    let release = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8)) ?? ""
    let distribution = release.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
      .map { $0.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" } }
    return "\(string(names.sysname)) \(string(names.release)) \(string(names.machine))"
      + (distribution.map { ", \(printable($0))" } ?? "")
  }

  var text: String {
    let limit = memory.limit.map { ", limited to \(Numbers.bytes($0))" } ?? ""
    let available = memory.available.map { ", \(Numbers.bytes($0)) free" } ?? ""
    let models =
      cache.models.isEmpty
      ? "no models" : "\(cache.models.count) \(cache.models.count == 1 ? "model" : "models")"
    let rows = [
      ("laser", version),
      ("system", system),
      ("processor", "\(processor), \(threads) \(threads == 1 ? "thread" : "threads")"),
      ("kernels", instructions),
      ("BLAS", blas.library),
      ("", "kernels \(blas.kernels) (\(blas.reason)), \(blas.threading)"),
      ("memory", Numbers.bytes(memory.physical) + limit + available),
      ("", "without --memory, commands take up to \(Numbers.bytes(memory.share))"),
      ("disk", "\(disk.free.map { "\(Numbers.bytes($0)) free" } ?? "unknown") in \(printable(disk.folder))"),
      ("models", "\(printable(cache.folder))\(cache.isThere ? ": \(models)" : ", which is not there")"),
    ]
    let lines = rows.map { "  " + $0.0 + String(repeating: " ", count: 11 - $0.0.count) + $0.1 }
    let ids = cache.models.map { "  " + String(repeating: " ", count: 11) + $0 }
    return (lines + ids).joined(separator: "\n") + "\n"
  }
}
