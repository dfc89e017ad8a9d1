internal import ArgumentParser
internal import FoundationEssentials
internal import Reports
internal import Search
internal import Tensors

struct EstimateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "estimate",
    abstract: "Say how long a search will take, in how much memory and disk.",
    discussion: """
      Takes the options of 'laser search'. The time is computed from a few seconds of measuring: one layer of the model, \
      forwards and backwards, on a few windows of the text, and its decompositions. Nothing is written.

      Example: laser estimate MODEL --base BASE --text A.txt --held-out B.txt
      """)

  @OptionGroup var options: SearchOptions

  @OptionGroup var memory: MemoryOption

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let search = try Search(options.settings, program: Version.program)
    console.note([search.model], context: search.settings.context)
    let estimate = try SearchEstimate.measured(
      search, memory: memory.bytes, scratchFolder: FileManager.default.temporaryDirectory.path
    ) {
      console.progress("Measuring", $0)
    }
    if json {
      print(try jsonText(EstimateText(estimate, free: freeDisk(at: ".")).json), terminator: "")
    } else {
      show(EstimateText(estimate, free: freeDisk(at: ".")).plain)
    }
  }
}
