internal import ArgumentParser
internal import Evaluation
internal import Models
internal import Reports
internal import Tensors
internal import Tokenization

struct ScoreCommand: ParsableCommand, DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Put questions to a model: how many it answers rightly.",
    discussion: """
      The scores are those of lm-evaluation-harness 0.4.13: acc takes the likeliest choice, acc_norm the likeliest for its \
      characters, acc_bytes for its bytes; a continuation is right where the model would write it. ± is one standard error.

      Example: laser score MODEL --questions arc_easy.jsonl --query-suffix $'\\nAnswer:'
      """)

  @Argument(
    help: ArgumentHelp(
      "A checkpoint: its folder, a GGUF file, or its id in the Hugging Face cache.", valueName: "model"))
  var model: ModelName

  @OptionGroup var questions: QuestionOptions

  @Flag(help: "Also measure acc_mutual_info, which takes off what a choice gets without the question.")
  var mutualInfo = false

  @Option(
    help: ArgumentHelp(
      "What matrix products take: float32, or bf16, which is faster and rounds.",
      discussion: "Processors without AVX512-BF16 take float32 for both.", valueName: "name"))
  var precision: Precision = .float32

  @Option(help: ArgumentHelp("Experts that work on each token, if not as configured.", valueName: "count"))
  var expertsPerToken: Int?

  @Flag(help: "Print one JSON object.")
  var json = false

  @Flag(help: "With --json: every question's log-likelihoods and answer too.")
  var answers = false

  @OptionGroup var memory: MemoryOption

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if questions.questions.isEmpty { throw ValidationError("'--questions' is missing.") }
    if answers && !json { throw ValidationError("'--answers' goes with '--json'.") }
  }

  func run() throws {
    let console = common.begin()
    let folder = try self.model.path
    var model = try Model(path: folder)
    console.note([model])
    if let expertsPerToken { model = try model.withExpertsPerToken(expertsPerToken) }
    model.execution.precision = precision
    let encoder = try QuestionEncoder(model, Tokenizer(path: folder))
    let files = try questions.files()
    let evaluation = try Evaluation(files, encoder).divided(model)
    // Each choice once more, alone, of the files whose choices can stand alone.
    let asked = mutualInfo ? files.filter { $0.questions[0].hasQuery } : []
    let alone = asked.isEmpty ? nil : try Evaluation(asked, encoder, withoutContext: true).divided(model)
    let clock = ContinuousClock()
    let start = clock.now
    let parts = alone == nil ? 1.0 : 2
    var answers = try evaluation.answers(model, memory: memory.bytes) { console.progress("Asking", $0 / parts) }
    if let alone {
      let found = try alone.answers(model, memory: memory.bytes) { console.progress("Asking", (1 + $0) / parts) }
      for (index, answer) in zip(answers.indices.filter { answers[$0].question.hasQuery }, found) {
        answers[index].withoutContext = answer.logLikelihoods
      }
    }
    let result = QuestionScores(
      model: self.model.text, evaluation, answers, tokens: evaluation.tokenCount + (alone?.tokenCount ?? 0),
      seconds: (clock.now - start) / .seconds(1), showsAnswers: self.answers)
    print(json ? try jsonText(result) : result.table, terminator: "")
  }
}
