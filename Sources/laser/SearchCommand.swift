internal import ArgumentParser
internal import Reports
internal import Search

struct SearchCommand: ParsableCommand, DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find what of a model's matrices it is better without.",
    discussion: """
      One backward pass over --text weighs every singular direction of every matrix; how cautious to be is measured on windows \
      that did not choose the weights, and the result on --held-out, beside simpler changes. With --strategy sweep or greedy, \
      ranks are searched instead. The run folder receives the journal, plan.yaml and the reports. The same command on the same \
      folder continues an interrupted search.

      Examples:

        laser search MODEL --text A.txt --held-out B.txt --out runs/first
        laser search MODEL --base BASE --filter select --text A.txt --out RUN
        laser search MODEL --strategy sweep --ranks 0.5,0.1 --budget 2h --text A.txt --out RUN
      """)

  @OptionGroup var options: SearchOptions

  @Option(help: ArgumentHelp("The run folder.", valueName: "folder"), completion: .directory)
  var out: String

  @OptionGroup var memory: MemoryOption

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  @OptionGroup var exitCode: ExitCodeOption

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let search = try Search(options.settings, program: Version.program, processes: Launch.processes)
    console.note([search.model], context: search.settings.context)
    guard let outcome = try search.run(in: out, memory: memory.bytes, console) else { return }
    try RunReport.write(outcome, in: out)
    if json {
      print(try jsonText(JSONReport(outcome)), terminator: "")
    } else {
      show(searchSummary(outcome, folder: out, common.style))
    }
    try exitCode.end([outcome])
  }
}
