internal import ArgumentParser
internal import Checkpoints
internal import Evaluation
internal import Models
internal import Reports
internal import Search
internal import Tokenization

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a model is made of: architecture, sizes, and the matrices that can be reduced.",
    discussion: """
      With --text, also where its router sends the tokens: each expert's share of the choices by layer, and the mean weight \
      it gets. A merged mixture's router is not trained; look for experts that get nothing, or everything.

      Example: laser inspect model
      Example: laser inspect model --text a.txt b.txt --context 256
      """)

  @Argument(
    help: ArgumentHelp(
      "A checkpoint: its folder, a GGUF file, or its id in the Hugging Face cache.", valueName: "model"))
  var model: ModelName

  @Flag(help: "List every matrix that can be reduced.")
  var sites = false

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Texts to follow through the router, UTF-8.", valueName: "file"),
    completion: .file())
  var text: [String] = []

  @OptionGroup var windows: WindowOptions

  @Flag(help: "Print one JSON object, with all matrices.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let loaded = try Model(path: model.path)
    console.note([loaded])
    let overview = try ModelOverview(loaded, tokenizer: tokenizerText(loaded), routing: routing(of: loaded, console))
    if json {
      print(try jsonText(overview), terminator: "")
    } else {
      print(overview.plain + (sites ? "\n" + overview.siteTable : ""), terminator: "")
      if let routing = overview.routing { print("\n" + routing.plain, terminator: "") }
    }
  }

  /// A model without a tokenizer that can be used is still a model.
  private func tokenizerText(_ loaded: Model) -> String {
    do {
      let tokenizer = try Tokenizer(path: model.path)
      let beginning = tokenizer.beginningToken.map { ", texts begin with \(tokenizer.decode([$0]))" } ?? ""
      return "\(Numbers.grouped(tokenizer.vocabularySize)) tokens\(beginning)"
    } catch {
      return "none that can be used (\(error))"
    }
  }

  private func routing(of loaded: Model, _ console: Console) throws -> RoutingTables? {
    guard !text.isEmpty else { return nil }
    let tokenizer = try Tokenizer(path: model.path)
    let corpora = try text.map { try Corpus(file: $0, tokenizer: tokenizer, model: model.path) }
    let evaluation = try Evaluation(
      corpora, convention: windows.settings.convention, context: windows.settings.context, tokenizer: tokenizer)
    let routing = try evaluation.scoreAndRouting(loaded, memory: SystemMemory.share) {
      console.progress("Following", $0)
    }.routing
    return RoutingTables(zip(text, routing).map { (text: $0, routing: $1) })
  }
}
