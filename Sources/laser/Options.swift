internal import ArgumentParser
internal import Processes
internal import Tensors

/// How a command runs and what it tells.
struct CommonOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Threads that work; all processors by default. Of each process, where several are started.", valueName: "count"))
  var threads: Int?

  @Flag(help: "Say more: the BLAS library and its kernels.")
  var verbose = false

  @Flag(help: "Say nothing but results and errors.")
  var quiet = false

  @Flag(help: "Print without colours, as with NO_COLOR in the environment.")
  var noColor = false

  var style: TerminalStyle { TerminalStyle(isWanted: !noColor) }

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("'--threads' must be from 1 to 1024.") }
    if verbose && quiet { throw ValidationError("'--verbose' and '--quiet' contradict each other.") }
  }

  /// Sets the threads; returns the channel for progress.
  func begin() -> Console {
    if let threads { Parallelism.threads = threads }
    let console = Console(isQuiet: quiet || !Launch.processes.isFirst)
    if verbose { console.note(BLASKernelChoice.description) }
    return console
  }
}

/// How much memory a command may take.
struct MemoryOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Memory limit, as in 8G; half of what there is by default.",
      discussion: """
        What there is: the machine's memory, or less where a control group limits it, as containers do. Weights that do \
        not fit are read from disk as they are needed, and states kept between trials go there.
        """, valueName: "size"))
  var memory: ByteSize?

  /// Of this process.
  var bytes: Int { memory?.bytes ?? Launch.memory }
}

/// How many experts work on each token: numbers and ranges, as in 1-4 or 1,2,8.
struct ExpertCounts: ExpressibleByArgument {
  let counts: [Int]

  init?(argument: String) {
    var counts: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { Int($0) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, 1 <= first, first <= last, last <= 1024 else {
        return nil
      }
      counts += Array(first...last).filter { !counts.contains($0) }
    }
    self.counts = counts
  }
}
