internal import ArgumentParser
internal import Reports
internal import Search

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Rewrite the reports of a finished search from its journal.",
    discussion: "Example: laser report runs/first")

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run"))
  var folder: String

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  @OptionGroup var exitCode: ExitCodeOption

  @OptionGroup var common: CommonOptions

  func run() throws {
    _ = common.begin()
    let outcome = try SearchOutcome(folder: folder)
    try RunReport.write(outcome, in: folder)
    print(
      json ? try jsonText(JSONReport(outcome)) : searchSummary(outcome, folder: folder, common.style), terminator: "")
    try exitCode.end([outcome])
  }
}
