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

      Members may run at the same time, as several processes and on several hosts: '--list' numbers them, '--member 3' \
      runs one, and '--summarize' makes the table. docs/clusters.md has scripts for Slurm.

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

  @Flag(help: "Print the members of the batch instead: number, name, run folder and how far each has come.")
  var list = false

  @Option(
    help: ArgumentHelp(
      "Run one member of the batch, by its number in the list.",
      discussion: "'slurm' takes the number from SLURM_ARRAY_TASK_ID, in a task of 'sbatch --array=…'.",
      valueName: "number"),
    completion: .list([MemberChoice.word]))
  var member: MemberChoice?

  @Flag(help: "Make the batch's table from the run folders as they are, without searching.")
  var summarize = false

  @Flag(help: "Print the report, list or table as one JSON object.")
  var json = false

  @OptionGroup var exitCode: ExitCodeOption

  @OptionGroup var common: CommonOptions

  func validate() throws {
    let given = [("--list", list), ("--member", member != nil), ("--summarize", summarize)].filter(\.1).map(\.0)
    guard given.count < 2 else { throw ValidationError("'\(given[0])' and '\(given[1])' exclude each other.") }
  }

  func run() throws {
    let console = common.begin()
    var given = overrides.given
    for (key, value) in [("out", out), ("checkpoint", checkpoint), ("name", hub.name)] {
      if let value { given[key] = [value] }
    }
    let batch = try Batch(recipes, overrides: given)
    if list {
      print(json ? try jsonText(batch.list) : batch.list.plain, terminator: "")
    } else if summarize {
      if Launch.processes.isFirst { try end(with: batch.summary()) }
    } else if let member {
      try runAlone(try member.member(of: batch), console)
    } else if batch.members.count == 1 {
      try runAlone(batch.members[0], console)
    } else {
      try runAll(batch, console)
    }
  }

  private func runAlone(_ member: Batch.Member, _ console: Console) throws {
    let recipe = member.recipe
    guard let outcome = try carryOut(member, console) else { return }
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

  private func runAll(_ batch: Batch, _ console: Console) throws {
    guard Launch.processes.isFirst else {
      for member in batch.members { _ = try carryOut(member, console) }
      return
    }
    let count = batch.members.count
    let summary = try batch.summary { member in
      console.note("\(member.number) of \(count): \(member.name)")
      do {
        if let outcome = try carryOut(member, console) { return .finished(outcome) }
        return .unfinished(.unfinished)
      } catch let error as Interruption.Requested { throw error } catch {
        // Where several processes work, the others may not have failed.
        guard Launch.processes.isAlone else { throw error }
        console.note("\(member.name) failed: \(error)")
        return .failed(error)
      }
    }
    try end(with: summary)
  }

  private func end(with summary: BatchSummary) throws {
    print(json ? try jsonText(summary.json) : summary.plain, terminator: "")
    if summary.failures > 0 { throw ExitCode(1) }
    try exitCode.end(summary.outcomes)
  }

  /// Nil in a process that helps the first one.
  private func carryOut(_ member: Batch.Member, _ console: Console) throws -> SearchOutcome? {
    let recipe = member.recipe
    let search = try Search(recipe.settings, program: Version.program, processes: Launch.processes)
    let processes = search.processes
    console.note([search.model], context: search.settings.context)
    func outputs() throws -> RecipeOutputs {
      try RecipeOutputs(recipe, of: search, recipePath: member.path, replacesExisting: force)
    }
    // What is finished and written stays as it is.
    let isWritten = try processes.fromFirst { try !force && RecipeOutputs.areWritten(recipe) }
    let planned = isWritten || !processes.isFirst ? nil : try outputs()
    guard let outcome = try search.run(in: recipe.out, memory: memory.bytes, console) else {
      if try processes.fromFirst({ false }) { try RecipeOutputs.help(recipe, of: search) }
      return nil
    }
    try RunReport.write(outcome, in: recipe.out)
    // A search may have gone on, with a text that has changed since it was written.
    let isMissing = try !isWritten || !RecipeOutputs.areWritten(recipe)
    if try processes.fromFirst({ isMissing }) { try (planned ?? outputs()).write(outcome, console) }
    return outcome
  }
}
