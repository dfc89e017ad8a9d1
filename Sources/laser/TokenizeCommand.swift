internal import ArgumentParser
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
  var model: String

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Texts, UTF-8.", valueName: "file"))
  var text: [String]

  @Flag(help: "Print the ids.")
  var ids = false

  func run() throws {
    let tokenizer = try Tokenizer(folder: model)
    var table = Table(["text", "tokens", "seconds"])
    let clock = ContinuousClock()
    for path in text {
      let start = clock.now
      let corpus = try Corpus(file: path, tokenizer: tokenizer)
      let seconds = (clock.now - start) / .seconds(1)
      if ids {
        print(corpus.tokens.map(String.init).joined(separator: " "))
      } else {
        table.append([corpus.name, Numbers.grouped(corpus.tokens.count), Numbers.fixed(seconds, 3)])
      }
    }
    if !ids { print(table.plain) }
  }
}
