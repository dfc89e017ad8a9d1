internal import ArgumentParser
internal import Glibc
internal import Reports
internal import Search

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show what a search has found so far, while it runs or after it was interrupted.",
    discussion: """
      From the journal in the run folder, which is left as it is. Nothing is confirmed on held-out text before the search ends.

      Example: laser status runs/first
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run"), completion: .directory)
  var folder: String

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    _ = common.begin()
    let status = try RunStatus(folder: folder)
    if json {
      print(try jsonText(StatusJSON(status)), terminator: "")
    } else {
      show(StatusText(status, now: secondsSince1970()).plain)
    }
  }
}

/// Now, in seconds since 1970.
func secondsSince1970() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_REALTIME, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
