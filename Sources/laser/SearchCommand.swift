internal import ArgumentParser
internal import Reports
internal import Search

struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find the reductions that lower a model's perplexity.",
    discussion: """
      For each site (a layer's and expert's matrix), from the last layer down, it tries each rank and keeps it if the \
      perplexity on --text falls by more than its noise; at the end it measures --held-out. The run folder receives the \
      journal, plan.yaml and the reports. The same command on the same folder continues an interrupted search.

      Examples:

        laser search MODEL --text A.txt --held-out B.txt --out runs/first
        laser search MODEL --base BASE --ranks 0.25,0.1,0.03 --text A.txt --out RUN
        laser search MODEL --strategy greedy --budget 2h --text A.txt --out RUN
      """)

  @OptionGroup var options: SearchOptions

  @Option(help: ArgumentHelp("The run folder.", valueName: "folder"), completion: .directory)
  var out: String

  @OptionGroup var memory: MemoryOption

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let search = try Search(options.settings, program: Version.program)
    let outcome = try search.run(in: out, memory: memory.bytes, console)
    try RunReport.write(outcome, in: out)
    print(json ? try jsonText(JSONReport(outcome)) : searchSummary(outcome, folder: out, common.style), terminator: "")
  }
}
