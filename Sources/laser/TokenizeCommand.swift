internal import ArgumentParser
internal import Checkpoints
internal import Evaluation
internal import Reports
internal import Tokenization

struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Show how a model's tokenizer reads texts.",
    discussion: """
      Prints how many tokens each text has, or with '--ids' the tokens themselves, one text a line.

      Example: laser tokenize runs/posy/model --text runs/posy/text/tales.search.txt
      """)

  @Argument(help: ArgumentHelp("The folder of a checkpoint; its tokenizer is enough.", valueName: "model"))
  var model: ModelName

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Texts, UTF-8.", valueName: "file"), completion: .file())
  var text: [String]

  @Flag(help: "Print the ids.")
  var ids = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let tokenizer = try Tokenizer(path: model.path)
    let clock = ContinuousClock()
    let texts = try text.map { path in
      let start = clock.now
      let corpus = try Corpus(file: path, tokenizer: tokenizer, model: model.path)
      let seconds = (clock.now - start) / .seconds(1)
      return Result(text: path, tokens: corpus.tokens.count, seconds: seconds, ids: ids ? corpus.tokens : nil)
    }
    if json {
      print(try jsonText(["texts": texts]), terminator: "")
    } else if ids {
      for text in texts { print((text.ids ?? []).map(String.init).joined(separator: " ")) }
    } else {
      var table = Table(["text", "tokens"])
      for text in texts {
        table.append([fileName(text.text), Numbers.grouped(text.tokens)])
      }
      print(table.plain)
    }
  }

  private struct Result: Encodable {
    let text: String
    let tokens: Int
    /// The time of reading and tokenizing the text, on one core.
    let seconds: Double
    let ids: [Int32]?
  }
}
