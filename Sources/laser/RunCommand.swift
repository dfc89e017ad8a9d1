internal import ArgumentParser
internal import Checkpoints
internal import FoundationEssentials
internal import Models
internal import Processes
internal import RankReduction
internal import Reports
internal import Search
internal import Wording

struct RunCommand: ParsableCommand, DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Search, write the lasered checkpoint and report, as a recipe says.",
    discussion: """
      A recipe has the keys of 'laser search' (model, base, text, held_out, layers, experts, roles, ranks, strategy, \
      confidence, fdr, context, …), out for the run folder, checkpoint for the lasered checkpoint (with 'factored: true' its \
      reduced matrices as two factors), and adapter for a PEFT adapter ('adapter_for_base: true' makes it one for the base). \
      Paths are relative to the recipe. The same command continues an interrupted run.

      Where a key has alternatives (model: [a, b], roles: [[w1], [w2, w3]], strategy: [sweep, greedy]) the recipe is a \
      batch: every combination is searched, one after another, and a table sums them up. A member that fails is reported \
      and does not stop the rest.

      An option that is a key of a recipe takes the place of its value, with paths relative to the current folder: another \
      strategy needs another '--out'.

      Example: laser run runs/posy/relative.yaml
      """)

  @Argument(help: ArgumentHelp("Recipes, YAML.", valueName: "recipe"), completion: .file(extensions: ["yaml", "yml"]))
  var recipes: [String]

  @Option(help: ArgumentHelp("The run folder, instead of the recipe's.", valueName: "folder"), completion: .directory)
  var out: String?

  @Option(
    help: ArgumentHelp("Where the lasered checkpoint goes, instead of where the recipe says.", valueName: "path"),
    completion: .directory)
  var checkpoint: String?

  @OptionGroup var hub: HubNameOption

  @OptionGroup(title: "Instead of the recipe's keys") var overrides: SettingOptions<RecipeOverrides>

  @OptionGroup var memory: MemoryOption

  @Flag(help: "Replace an existing lasered checkpoint.")
  var force = false

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  @OptionGroup var exitCode: ExitCodeOption

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    var given = overrides.given
    for (key, value) in [("out", out), ("checkpoint", checkpoint), ("name", hub.name)] {
      if let value { given[key] = [value] }
    }
    let files = try recipes.map { (path: $0, contents: try RecipeFile(file: $0, overrides: given)) }
    if files.count == 1, files[0].contents.members.count == 1 {
      try runAlone(files[0].contents.members[0], from: files[0].path, console)
    } else {
      try runBatch(files, console)
    }
  }

  private func runAlone(_ recipe: Recipe, from path: String, _ console: Console) throws {
    guard let outcome = try carryOut(recipe, from: path, console) else { return }
    if json {
      print(try jsonText(JSONReport(outcome)), terminator: "")
    } else {
      show(searchSummary(outcome, folder: recipe.out, common.style))
      for (what, path) in RecipeOutputs.paths(recipe) {
        print("  \(what) \(outcome.kept.isEmpty ? "none: nothing was kept" : path)")
      }
    }
    try exitCode.end([outcome])
  }

  private func runBatch(_ files: [(path: String, contents: RecipeFile)], _ console: Console) throws {
    for file in files where file.contents.members.count > 1 { try refuseUnsafeSummary(of: file.contents) }
    let count = files.reduce(0) { $0 + $1.contents.members.count }
    var all: [BatchSummary.Member] = []
    for file in files {
      var members: [BatchSummary.Member] = []
      for recipe in file.contents.members {
        let name = recipe.name.isEmpty ? file.path : recipe.name
        console.note("\(all.count + members.count + 1) of \(count): \(name)")
        let outcome = try resultUnlessInterrupted { try carryOut(recipe, from: file.path, console) }
        guard let outcome else { continue }
        if case .failure(let error) = outcome { console.note("\(name) failed: \(error)") }
        members.append(.init(name: name, folder: recipe.out, outcome: outcome))
      }
      if members.count > 1, Launch.processes.isFirst {
        let summary = BatchSummary(members)
        try AtomicFile.makeFolder(file.contents.out)
        let texts = [summary.markdown, try jsonText(summary.json)]
        for (name, text) in zip(Self.summaries, texts) {
          try AtomicFile.write(text, to: file.contents.out + "/" + name)
        }
      }
      all += members
    }
    guard Launch.processes.isFirst else { return }
    let summary = BatchSummary(all)
    print(json ? try jsonText(summary.json) : summary.plain, terminator: "")
    if summary.failures > 0 { throw ExitCode(1) }
    try exitCode.end(summary.outcomes)
  }

  private static let summaries = ["summary.md", "summary.json"]

  /// Where a batch's summary goes, nothing of its members' inputs may lie, nor another's file.
  private func refuseUnsafeSummary(of file: RecipeFile) throws {
    let inputs = file.members.flatMap(\.settings.files)
    for path in [file.out] + Self.summaries.map({ file.out + "/" + $0 }) { try refuseInputs(at: path, inputs) }
    let manager = FileManager.default
    let json = manager.contents(atPath: file.out + "/summary.json").map { String(decoding: $0, as: UTF8.self) }
    // One of a batch all of whose members failed has no runs.
    let isOwn =
      file.members.contains { manager.fileExists(atPath: Journal.path(in: $0.out)) }
      || json?.contains(#""searches""#) == true
    guard !isOwn, let found = Self.summaries.first(where: { manager.fileExists(atPath: file.out + "/" + $0) }) else {
      return
    }
    throw InputError(
      "\(file.out): \(found) is there without a run of this recipe, so it may not be laser's; give another \"out\"")
  }

  private func resultUnlessInterrupted(
    _ body: () throws -> SearchOutcome?
  ) throws -> Result<SearchOutcome, any Error>? {
    do { return try body().map { .success($0) } } catch let error as Interruption.Requested { throw error } catch {
      // Where several processes work, the others may not have failed.
      guard Launch.processes.isAlone else { throw error }
      return .failure(error)
    }
  }

  private func carryOut(_ recipe: Recipe, from path: String, _ console: Console) throws -> SearchOutcome? {
    let search = try Search(recipe.settings, program: Version.program, processes: Launch.processes)
    console.note([search.model], context: search.settings.context)
    let outputs =
      search.processes.isFirst
      ? try RecipeOutputs(recipe, of: search, recipePath: path, replacesExisting: force) : nil
    guard let outcome = try search.run(in: recipe.out, memory: memory.bytes, console), let outputs else {
      try RecipeOutputs.help(recipe, of: search)
      return nil
    }
    try RunReport.write(outcome, in: recipe.out)
    try outputs.write(outcome, console)
    return outcome
  }
}
