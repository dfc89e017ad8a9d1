internal import ArgumentParser
internal import Checkpoints
internal import Inference
internal import RankReduction
internal import Reports
internal import Search

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Search, write the lasered checkpoint and report, as a recipe says.",
    discussion: """
      A recipe has the keys of 'laser search' (model, base, text, held_out, layers, experts, roles, ranks, confidence, \
      convention, context, stride), out for the run folder, and checkpoint for the lasered checkpoint. Paths are relative \
      to the recipe. The same command continues an interrupted run.

      Example: laser run runs/posy/relative.yaml
      """)

  @Argument(help: ArgumentHelp("A recipe, YAML.", valueName: "recipe"))
  var recipe: String

  @Flag(help: "Replace an existing lasered checkpoint.")
  var force = false

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let recipe = try Recipe(file: recipe)
    let search = try Search(recipe.settings, program: Version.program)
    let copy = try recipe.checkpoint.map {
      try CheckpointCopy(
        of: search.model.checkpoint, to: $0, replacesExisting: force,
        sparing: [self.recipe, recipe.out] + recipe.settings.files)
    }
    let outcome = try search.run(in: recipe.out, console)
    try RunReport.write(outcome, in: recipe.out)
    if let copy { try writeLasered(copy, search.reducer, outcome.kept.map(\.reduction), console) }
    if json {
      print(try jsonText(JSONReport(outcome)), terminator: "")
    } else {
      print(searchSummary(outcome, folder: recipe.out), terminator: "")
      if let checkpoint = recipe.checkpoint { print("  Model   \(checkpoint)") }
    }
  }
}
