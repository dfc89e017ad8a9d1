internal import ArgumentParser
internal import Evaluation
internal import RankReduction
internal import Reports
internal import Search
internal import Tensors

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

  @Argument(help: ArgumentHelp("The folder of a checkpoint.", valueName: "model"))
  var model: String

  @Option(
    help: ArgumentHelp(
      "Truncate the difference to this checkpoint instead of the weights.",
      discussion: "It may be dense while the model is a mixture: each expert is then compared with the dense layer.",
      valueName: "folder"))
  var base: String?

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Texts that trials are scored on.", valueName: "file"))
  var text: [String]

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Texts that confirm the result; without them, the second half of every text is held out.", valueName: "file"))
  var heldOut: [String] = []

  @Option(help: ArgumentHelp("The run folder.", valueName: "folder"))
  var out: String

  @OptionGroup var sites: SiteOptions

  @Option(
    help: ArgumentHelp(
      "Ranks to try, in this order.",
      discussion: "Each is \(RankRule.syntax).",
      valueName: "list"))
  var ranks: String?

  @Option(
    help: ArgumentHelp(
      "How reductions are found: sweep, guided, greedy or noise-edge.",
      discussion: """
        sweep goes from the last layer down and keeps what improves the model as it then is. guided foretells from one pass \
        backwards what every reduction would change, and measures only those of each layer that are foretold to help, together: \
        ten times faster. greedy measures every single \
        reduction first and composes the best. noise-edge cuts every site at the edge of its noise, without trials.
        """, valueName: "name"))
  var strategy = Strategy.sweep.rawValue

  @Option(
    help: ArgumentHelp(
      "perplexity for the lowest, size for the largest reduction within --tolerance.", valueName: "name"))
  var objective = Objective.perplexity.name

  @Option(
    help: ArgumentHelp(
      "With --objective size: nats per token that the nll may rise by; \(Objective.defaultTolerance) by default.",
      valueName: "nats"))
  var tolerance: Double?

  @Option(help: ArgumentHelp("Stop after \(Budget.syntax), with what was found.", valueName: "amount"))
  var budget: String?

  @Option(
    help: ArgumentHelp(
      "Confidence of the one-sided test that a reduction must pass; 0.5 keeps any decrease.", valueName: "share"))
  var confidence = SearchSettings.defaultConfidence

  @Option(
    help: ArgumentHelp(
      "Share of the kept reductions that may be luck, over the whole search; 1 judges each trial alone.",
      valueName: "share"))
  var fdr = SearchSettings.defaultFalseDiscoveryRate

  @Flag(help: "Run every trial over all windows, also when it cannot be accepted any more.")
  var exhaustive = false

  @Option(
    help: ArgumentHelp(
      "What a trial's first windows are run in: float32 or bf16.",
      discussion: "A trial that they do not stop is run in float32, which decides.", valueName: "precision"))
  var screening = SearchSettings.defaultScreening.rawValue

  @Option(help: ArgumentHelp("Experts that work on each token, if not as configured.", valueName: "count"))
  var expertsPerToken: Int?

  @Flag(help: "Drop random directions instead of the weakest, to see what a search finds by chance.")
  var control = false

  @OptionGroup var windows: WindowOptions

  @OptionGroup var memory: MemoryOption

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func validate() throws { _ = try settings }

  private var settings: SearchSettings {
    get throws {
      do {
        let strategy = try SearchSettings.strategy(strategy)
        let settings = SearchSettings(
          model: model, base: base, text: text, heldOut: heldOut, convention: windows.resolved,
          context: windows.context, expertsPerToken: expertsPerToken,
          selection: try sites.selection,
          ranks: try SearchSettings.ranks(ranks ?? SearchSettings.defaultRanks(strategy)), confidence: confidence,
          falseDiscoveryRate: fdr, isExhaustive: exhaustive,
          screening: try SearchSettings.precision(screening), strategy: strategy,
          objective: try Objective(name: objective, tolerance: tolerance),
          budget: try budget.map { try SearchSettings.budget($0) }, isControl: control)
        try settings.validate()
        return settings
      } catch let error as SearchError {
        throw ValidationError("\(error)")
      }
    }
  }

  func run() throws {
    let console = common.begin()
    let search = try Search(settings, program: Version.program)
    let outcome = try search.run(in: out, memory: memory.bytes, console)
    try RunReport.write(outcome, in: out)
    print(json ? try jsonText(JSONReport(outcome)) : searchSummary(outcome, folder: out, common.style), terminator: "")
  }
}
