internal import ArgumentParser
internal import Glibc
internal import Reports
internal import Search

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Rewrite the reports of a search from its journal.",
    discussion: """
      Of a search that runs or was interrupted, report.html says what is known so far, and that it is not finished. With \
      '--watch' it is written again whenever the journal grows, and reloads itself in a browser, until the search ends or \
      Ctrl-C.

      Example: laser report runs/first
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run"), completion: .directory)
  var folder: String

  @Flag(help: "Write the page again whenever the journal grows, until the search ends.")
  var watch = false

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  @OptionGroup var exitCode: ExitCodeOption

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    var status = try RunStatus(folder: folder)
    if watch, !status.isFinished { status = try watchUntilEnd(status, console) }
    guard status.isFinished else {
      try UnfinishedPage(status, now: secondsSince1970(), isWatched: false).write(in: folder)
      if json {
        print(try jsonText(StatusJSON(status)), terminator: "")
      } else {
        show(StatusText(status, now: secondsSince1970()).plain + "  Page      \(folder)/report.html, unfinished\n")
      }
      return
    }
    let outcome = try SearchOutcome(folder: folder)
    try RunReport.write(outcome, in: folder)
    if json {
      print(try jsonText(JSONReport(outcome)), terminator: "")
    } else {
      show(searchSummary(outcome, folder: folder, common.style))
    }
    try exitCode.end([outcome])
  }

  /// Returns when the search has ended, when nobody runs it, or on Ctrl-C.
  private func watchUntilEnd(_ first: RunStatus, _ console: Console) throws -> RunStatus {
    Interruption.watch()
    var status = first
    while true {
      if status.isFinished || !status.isRunning { return status }
      try UnfinishedPage(status, now: secondsSince1970(), isWatched: true).write(in: folder)
      console.note(StatusText(status, now: secondsSince1970()).headline)
      repeat {
        // Looked at once a second, in pieces that a signal ends.
        for _ in 0..<10 {
          do { try Interruption.check() } catch { return try RunStatus(folder: folder) }
          usleep(100_000)
        }
      } while !status.isOutdated(in: folder)
      status = try RunStatus(folder: folder)
    }
  }
}
