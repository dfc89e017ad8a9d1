internal import ArgumentParser
internal import Inference
internal import Models
internal import Reports
internal import Tokenization

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continue a text, to read what a model says.",
    discussion: """
      Takes the likeliest token each time, or draws one with --temperature; equal seeds draw equal texts. With --against \
      another model continues the same text.

      Example: laser generate model-lasered --prompt "Once upon a time" --against model
      """)

  @Argument(help: ArgumentHelp("A checkpoint.", valueName: "model"))
  var model: ModelName

  @Option(help: ArgumentHelp("The text to continue.", valueName: "text"))
  var prompt: String

  @Option(help: ArgumentHelp("Another checkpoint that continues the same text.", valueName: "model"))
  var against: ModelName?

  @Option(help: ArgumentHelp("Tokens to add at most.", valueName: "count"))
  var tokens = 128

  @Option(
    help: ArgumentHelp(
      "0 for the likeliest token each time, 1 to draw by the model's probabilities.", valueName: "number"))
  var temperature = 0.0

  @Option(help: ArgumentHelp("Draw from the likeliest tokens that together have this probability.", valueName: "share"))
  var topP = 1.0

  @Option(help: ArgumentHelp("What random numbers start from.", valueName: "number"))
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Experts that work on each token, if not as configured.", valueName: "count"))
  var expertsPerToken: Int?

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard (1...1 << 20).contains(tokens) else { throw ValidationError("'--tokens' must be from 1 to 1048576.") }
    guard temperature >= 0, temperature.isFinite else { throw ValidationError("'--temperature' must be at least 0.") }
    guard topP > 0, topP <= 1 else { throw ValidationError("'--top-p' must be above 0 and at most 1.") }
  }

  func run() throws {
    let console = common.begin()
    let models = [model] + (against.map { [$0] } ?? [])
    // Both are opened before either speaks.
    let writers = try models.map { try Writer($0, expertsPerToken: expertsPerToken) }
    console.note(writers.map(\.model))
    var texts: [Result.Text] = []
    for writer in writers {
      if !json && writers.count > 1 {
        print(common.style.apply(.strong, to: "\(texts.isEmpty ? "" : "\n")\(writer.name)"))
      }
      let clock = ContinuousClock()
      let start = clock.now
      let (text, count) = try writer.write(
        prompt: prompt, tokens: tokens, Sampler(temperature: temperature, topP: topP, seed: seed)
      ) { if !json { try put($0) } }
      if !json { try put("\n") }
      let seconds = (clock.now - start) / .seconds(1)
      texts.append(Result.Text(model: writer.name, text: text, tokens: count, seconds: seconds))
      if !json && common.verbose { console.note("\(count) tokens in \(Numbers.duration(seconds))") }
    }
    if json {
      print(
        try jsonText(Result(prompt: prompt, seed: seed, temperature: temperature, continuations: texts)), terminator: ""
      )
    }
  }

  /// Shows a piece of the text at once. Where nobody gets it, there is no sense in going on.
  private func put(_ text: String) throws {
    print(text, terminator: "")
    if StandardOutput.flush() != nil { throw ExitCode(1) }
  }

  private struct Result: Encodable {
    let prompt: String
    let seed: UInt64
    let temperature: Double
    let continuations: [Text]

    struct Text: Encodable {
      let model: String
      let text: String
      let tokens: Int
      let seconds: Double
    }
  }
}

/// A model that continues texts.
private struct Writer {
  /// As it was given.
  let name: String
  let model: Model
  private let tokenizer: Tokenizer
  private let endTokens: Set<Int32>

  init(_ name: ModelName, expertsPerToken: Int?) throws {
    self.name = name.text
    let path = try name.path
    let loaded = try Model(path: path)
    model = try expertsPerToken.map { try loaded.withExpertsPerToken($0) } ?? loaded
    tokenizer = try Tokenizer(path: path)
    endTokens = try model.endTokens
  }

  /// The continuation and its tokens.
  ///
  /// - Parameter put: Called with each piece of the text, the prompt first.
  func write(
    prompt: String, tokens limit: Int, _ sampler: Sampler, put: (String) throws -> Void
  ) throws -> (text: String, tokens: Int) {
    var sampler = sampler
    var ids = try tokenizer.encode(prompt)
    guard !ids.isEmpty else { throw PromptError(description: "the prompt has no tokens; give some text") }
    try put(tokenizer.decode(ids, skipSpecialTokens: true))
    var continuation = Continuation(model, capacity: ids.count + limit)
    var decoder = StreamingDecoder(tokenizer, after: ids)
    var (text, count) = ("", 0)
    func show(_ piece: String) throws {
      guard !piece.isEmpty else { return }
      try put(piece)
      text += piece
    }
    while count < limit {
      let token = sampler.next(try continuation.append(ids))
      if endTokens.contains(token) { break }
      ids = [token]
      count += 1
      try show(decoder.append(token))
    }
    try show(decoder.finish())
    return (text, count)
  }

  private struct PromptError: Error, CustomStringConvertible { let description: String }
}
