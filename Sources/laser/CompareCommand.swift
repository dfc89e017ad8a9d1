internal import ArgumentParser
internal import Evaluation
internal import Glibc
internal import Models
internal import Reports
internal import Search
internal import Tokenization
internal import Wording

struct CompareCommand: ParsableCommand, DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare two models on texts or questions: the change, paired.",
    discussion: """
      The change of the nll is paired by window, ± one standard error. The divergence is Kullback and Leibler's, from the \
      first model's predictions to the second's, over all scored tokens.

      Of questions it shows how many are right before and after, which change, and how likely chance alone would change \
      accuracy as much (McNemar's exact test) and the right choices' likelihoods as much (paired t test), both two-sided.

      Examples:

        laser compare model model-lasered --text heldout.txt
        laser compare model model-lasered --questions piqa.jsonl --rule acc_norm
      """)

  @Argument(help: ArgumentHelp("The first checkpoint.", valueName: "model"))
  var first: ModelName

  @Argument(help: ArgumentHelp("The second checkpoint.", valueName: "other"))
  var second: ModelName

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Texts, UTF-8.", valueName: "file"), completion: .file())
  var text: [String] = []

  @OptionGroup var windows: WindowOptions

  @OptionGroup var questions: QuestionOptions

  @Option(
    help: ArgumentHelp(
      "By which score choices are taken: acc, acc_norm or acc_bytes.", valueName: "name"))
  var rule: Answer.Rule = .acc

  @Option(
    help: ArgumentHelp(
      "Experts that work on each token, instead of the configurations' numbers: one for both models, or one for each as "
        + "in 2,1.", valueName: "count"))
  var expertsPerToken: ExpertCounts?

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var memory: MemoryOption

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard text.isEmpty != questions.questions.isEmpty else {
      throw ValidationError("Give either '--text' or '--questions'.")
    }
    if rule == .accMutualInfo { throw ValidationError("'--rule' is acc, acc_norm or acc_bytes here.") }
    if let expertsPerToken, expertsPerToken.counts.count > 2 {
      throw ValidationError("'--experts-per-token' takes one number here, or two.")
    }
  }

  func run() throws {
    let console = common.begin()
    let folders = try [first, second].map { try $0.path }
    var models = try folders.map { try Model(path: $0) }
    try console.note(models, context: text.isEmpty ? nil : windows.settings.context)
    if let counts = expertsPerToken?.counts {
      models = try zip(models, [counts[0], counts[counts.count - 1]]).map { try $0.withExpertsPerToken($1) }
    }
    let tokenizers = try folders.map { try Tokenizer(path: $0) }
    guard !text.isEmpty else { return try compareAnswers(models, tokenizers, console) }
    let corpora = try text.map { path in
      let readings = try zip(tokenizers, folders).map { try Corpus(file: path, tokenizer: $0, model: $1) }
      guard readings[0].tokens == readings[1].tokens, readings[0].documents == readings[1].documents else {
        throw InputError(
          "\(path): the two models' tokenizers read it differently; only models of one tokenizer compare")
      }
      return readings[0]
    }
    let evaluation = try Evaluation(
      corpora, convention: windows.settings.convention, context: windows.settings.context, tokenizer: tokenizers[0]
    ).divided(models[0], models[1])
    let comparison = try evaluation.compare(models[0], models[1], memory: memory.bytes) {
      console.progress("Comparing", $0)
    }
    let result = Result(
      first: first.text, second: second.text, expertsPerToken: expertsPerToken?.counts, text: text,
      evaluation: evaluation,
      comparison)
    print(json ? try jsonText(result) : result.table, terminator: "")
  }

  private func compareAnswers(_ models: [Model], _ tokenizers: [Tokenizer], _ console: Console) throws {
    let files = try questions.files()
    let evaluations = try zip(models, tokenizers).map { try Evaluation(files, QuestionEncoder($0, $1)).divided($0) }
    let answers = try zip(models, evaluations).enumerated().map { index, pair in
      try pair.1.answers(pair.0, memory: memory.bytes) { console.progress("Asking", (Double(index) + $0) / 2) }
    }
    let result = QuestionComparison(
      models: [first.text, second.text], evaluations[0], answers[0], answers[1], by: rule)
    print(json ? try jsonText(result) : result.table, terminator: "")
  }

  private struct Result: Encodable {
    let models: [Row]
    let text: [String]
    let convention: String
    let context: Int
    let stride: Int?
    let scoredTokens: Int
    let delta: Double
    /// Absent where one window gives no idea of it.
    let standardError: Double?
    let perplexityRatio: Double
    let divergence: Divergence
    let sameTop: Double

    struct Row: Encodable {
      let model: String
      /// Absent where the configuration's number is used.
      let expertsPerToken: Int?
      let nll: Double
      let perplexity: Double

      var title: String {
        model + (expertsPerToken.map { ", \($0) expert\($0 == 1 ? "" : "s") per token" } ?? "")
      }

      enum CodingKeys: String, CodingKey {
        case model, nll, perplexity
        case expertsPerToken = "experts_per_token"
      }
    }

    struct Divergence: Encodable {
      let mean: Double
      let standardError: Double?
      let median: Double
      let percentile90: Double
      let percentile99: Double
      let maximum: Double

      enum CodingKeys: String, CodingKey {
        case mean, median, maximum
        case standardError = "standard_error"
        case percentile90 = "percentile_90"
        case percentile99 = "percentile_99"
      }
    }

    enum CodingKeys: String, CodingKey {
      case models, text, convention, context, stride, delta, divergence
      case scoredTokens = "scored_tokens"
      case standardError = "standard_error"
      case perplexityRatio = "perplexity_ratio"
      case sameTop = "same_top"
    }

    init(
      first: String, second: String, expertsPerToken: [Int]?, text: [String], evaluation: Evaluation,
      _ comparison: ModelComparison
    ) {
      func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
      models = [
        Row(
          model: first, expertsPerToken: expertsPerToken?.first, nll: comparison.first.meanNLL,
          perplexity: comparison.first.perplexity),
        Row(
          model: second, expertsPerToken: expertsPerToken?.last, nll: comparison.second.meanNLL,
          perplexity: comparison.second.perplexity),
      ]
      self.text = text
      convention = evaluation.convention.name
      context = evaluation.context
      stride = evaluation.convention.stride
      scoredTokens = comparison.first.tokens
      delta = comparison.delta.mean
      standardError = finite(comparison.delta.standardError)
      // Of two perplexities beyond the range of doubles there is a ratio all the same.
      perplexityRatio = exp(comparison.delta.mean)
      divergence = Divergence(
        mean: comparison.meanDivergence.value, standardError: finite(comparison.meanDivergence.standardError),
        median: comparison.divergence(percentile: 0.5), percentile90: comparison.divergence(percentile: 0.9),
        percentile99: comparison.divergence(percentile: 0.99), maximum: comparison.divergence(percentile: 1))
      sameTop = comparison.sameTopShare
    }

    var table: String {
      func error(_ value: Double?, _ digits: Int) -> String { value.map { " ± \(Numbers.fixed($0, digits))" } ?? "" }
      var models = Table(["model", "nll", "perplexity"])
      for row in self.models {
        models.append([row.title, Numbers.fixed(row.nll, 4), Numbers.fixed(row.perplexity, 4)])
      }
      var measures = Table(["second against first", "value"])
      measures.append(["change of nll, nats/token", Numbers.signed(delta, 5) + error(standardError, 5)])
      measures.append(["ratio of perplexities", Numbers.fixed(perplexityRatio, 5)])
      measures.append([
        "KL divergence, mean, nats", Numbers.fixed(divergence.mean, 6) + error(divergence.standardError, 6),
      ])
      measures.append(["KL divergence, median", Numbers.fixed(divergence.median, 6)])
      measures.append(["KL divergence, 90 % of tokens below", Numbers.fixed(divergence.percentile90, 6)])
      measures.append(["KL divergence, 99 % of tokens below", Numbers.fixed(divergence.percentile99, 6)])
      measures.append(["KL divergence, largest", Numbers.fixed(divergence.maximum, 6)])
      measures.append(["same most likely token", Numbers.fixed(100 * sameTop, 2) + " %"])
      return """
        \(models.plain)

        \(measures.plain)
          Convention \(convention), context \(context)\(stride.map { ", stride \($0)" } ?? ""); \
        \(Numbers.grouped(scoredTokens)) scored tokens.

        """
    }
  }
}

extension Answer.Rule: ExpressibleByArgument {}
