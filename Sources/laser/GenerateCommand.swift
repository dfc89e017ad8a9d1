internal import ArgumentParser
internal import ChatTemplates
internal import Checkpoints
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
      another model continues the same text. With --chat the text is a message, put as the model's chat template puts it, \
      and what is written is the answer.

      Example: laser generate model-lasered --prompt "Once upon a time" --against model
      """)

  @Argument(help: ArgumentHelp("A checkpoint.", valueName: "model"))
  var model: ModelName

  @Option(help: ArgumentHelp("The text to continue.", valueName: "text"))
  var prompt: String

  @Flag(help: "Take the text as a message of a chat, and write the answer.")
  var chat = false

  @Option(help: ArgumentHelp("With --chat: what the system's message says.", valueName: "text"))
  var system: String?

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
    if system != nil, !chat { throw ValidationError("'--system' goes with '--chat'.") }
    guard (1...1 << 20).contains(tokens) else { throw ValidationError("'--tokens' must be from 1 to 1048576.") }
    guard temperature >= 0, temperature.isFinite else { throw ValidationError("'--temperature' must be at least 0.") }
    guard topP > 0, topP <= 1 else { throw ValidationError("'--top-p' must be above 0 and at most 1.") }
  }

  func run() throws {
    let console = common.begin()
    let models = [model] + (against.map { [$0] } ?? [])
    // Both are opened before either speaks.
    let messages = chat ? system.map { [("system", $0)] } ?? [] + [("user", prompt)] : nil
    let writers = try models.map { try Writer($0, expertsPerToken: expertsPerToken, messages: messages) }
    console.note(writers.map(\.model))
    var texts: [Result.Text] = []
    for writer in writers {
      if !json && writers.count > 1 {
        print(common.style.apply(.strong, to: "\(texts.isEmpty ? "" : "\n")\(writer.name)"))
      }
      let clock = ContinuousClock()
      let start = clock.now
      let written = try writer.write(
        prompt: prompt, tokens: tokens, Sampler(temperature: temperature, topP: topP, seed: seed)
      ) { if !json { try put($0) } }
      if !json { try put("\n") }
      let seconds = (clock.now - start) / .seconds(1)
      texts.append(
        Result.Text(
          model: writer.name, text: written.text, tokens: written.tokens, stopped: written.end.rawValue,
          seconds: seconds))
      if !json {
        console.note(
          "\(written.end == .model ? "the model ended it" : "stopped at --tokens \(tokens)"): "
            + "\(Numbers.grouped(written.tokens)) tokens in \(Numbers.duration(seconds))")
      }
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
      /// By whom: "model", or "limit".
      let stopped: String
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
  /// A chat so far, as text.
  private let chat: String?

  /// - Parameter messages: Roles and contents; nil to continue a text.
  init(_ name: ModelName, expertsPerToken: Int?, messages: [(role: String, content: String)]?) throws {
    self.name = name.text
    let path = try name.path
    let loaded = try Model(path: path)
    model = try expertsPerToken.map { try loaded.withExpertsPerToken($0) } ?? loaded
    tokenizer = try Tokenizer(path: path)
    endTokens = try model.endTokens
    chat = try messages.map { messages in
      try ChatTemplate(path: path).text(
        of: messages.map {
          .object([
            JSON.Member(key: "role", value: .string($0.role)), JSON.Member(key: "content", value: .string($0.content)),
          ])
        }, promptsAnswer: true)
    }
  }

  struct Written {
    let text: String
    let tokens: Int
    let end: End

    enum End: String { case model, limit }
  }

  /// The continuation, or the answer.
  ///
  /// - Parameter put: Called with each piece of the text, a prompt first.
  func write(
    prompt: String, tokens limit: Int, _ sampler: Sampler, put: (String) throws -> Void
  ) throws -> Written {
    var sampler = sampler
    // A template writes the special tokens itself.
    var ids = try chat.map { try tokenizer.encode($0, addSpecialTokens: false) } ?? tokenizer.encode(prompt)
    guard !ids.isEmpty else { throw PromptError(description: "the prompt has no tokens; give some text") }
    if chat == nil { try put(tokenizer.decode(ids, skipSpecialTokens: true)) }
    var continuation = Continuation(model, capacity: ids.count + limit)
    var decoder = StreamingDecoder(tokenizer, after: ids)
    var (text, count, end) = ("", 0, Written.End.limit)
    func show(_ piece: String) throws {
      guard !piece.isEmpty else { return }
      try put(piece)
      text += piece
    }
    while count < limit {
      let token = sampler.next(try continuation.append(ids))
      if endTokens.contains(token) {
        end = .model
        break
      }
      ids = [token]
      count += 1
      try show(decoder.append(token))
    }
    try show(decoder.finish())
    return Written(text: text, tokens: count, end: end)
  }

  private struct PromptError: Error, CustomStringConvertible { let description: String }
}
