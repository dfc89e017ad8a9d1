internal import Checkpoints
internal import Evaluation
internal import Glibc
internal import Models
internal import Processes
internal import Tensors
internal import Tokenization
internal import Wording

/// The processes that mpirun or srun started together with this one; usually there are none. The first talks to people, the
/// others are silent and work.
enum Launch {
  private static let joined = Result<ProcessGroup, any Error> { try Launcher.join() }

  static var processes: ProcessGroup { (try? joined.get()) ?? .alone }

  private static let neighbourhood = processes.neighbourhood()

  /// Bytes that a process takes if nothing is said: of the half of what a host has, its part; the least of all hosts.
  static let memory = processes.least(SystemMemory.share / neighbourhood.processes)

  /// Threads of a process if nothing is said: the processors that the launcher bound it to, or its part of those that it shares;
  /// the fewest of all hosts, since memory is divided by them.
  private static let threads = processes.least(max(1, Parallelism.threads / neighbourhood.sharing))

  /// Finds the others, at the start.
  static func begin() throws {
    let processes = try joined.get()
    guard !processes.isAlone else { return }
    Parallelism.threads = threads
    _ = memory
    guard !processes.isFirst else { return }
    let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
    if nowhere >= 0 { dup2(nowhere, STDOUT_FILENO) }
  }

  /// How long a process that fails waits for the first, which most likely fails alike and says so.
  private static let patience: UInt32 = 2

  /// Says why this process ends, and ends the others with it.
  static func fail(_ text: String, status: Int32) -> Never {
    var line = text + "\n"
    if !processes.isFirst {
      sleep(patience)
      line = "Process \(processes.rank) on \(printable(ProcessGroup.hostName)): \(line)"
    }
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    _ = StandardOutput.flush()
    Launcher.abort(processes, status: status)
    exit(status)
  }

  static func end() { Launcher.leave(processes) }
}

/// A command that several processes can do together.
protocol DividedCommand {}

extension Evaluation {
  /// The same, its windows divided among the processes that were started together.
  ///
  /// - Throws: `InputError` where those have other models or texts.
  func divided(_ models: Model...) throws -> Evaluation {
    let processes = Launch.processes
    guard !processes.isAlone else { return self }
    try processes.refuseDifferences(
      ProcessorKernels.facts + [
        ("version of laser", Version.program),
        ("command line", CommandLine.arguments.dropFirst().joined(separator: " ")),
        ("model", models.map { $0.checkpoint.fingerprint.description }.joined(separator: " ")),
        ("text", corpora.map { $0.fingerprint.description }.joined(separator: " ")),
      ])
    var result = self
    result.processes = processes
    return result
  }
}
