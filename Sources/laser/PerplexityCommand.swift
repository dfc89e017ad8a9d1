internal import ArgumentParser
internal import Checkpoints
internal import Evaluation
internal import Models
internal import Reports
internal import Search
internal import Tensors
internal import Tokenization

struct PerplexityCommand: ParsableCommand, DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity",
    abstract: "Measure a model's perplexity on texts.",
    discussion: "Example: laser perplexity runs/posy/model --text runs/posy/text/tales.search.txt --context 256")

  @Argument(
    help: ArgumentHelp(
      "A checkpoint: its folder, a GGUF file, or its id in the Hugging Face cache.", valueName: "model"))
  var model: ModelName

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Texts, UTF-8.", valueName: "file"), completion: .file())
  var text: [String]

  @OptionGroup var windows: WindowOptions

  @Option(
    help: ArgumentHelp(
      "What matrix products take: float32, or bf16, which is faster and rounds.",
      discussion: "Processors without AVX512-BF16 take float32 for both.", valueName: "name"))
  var precision: Precision = .float32

  @Option(
    help: ArgumentHelp(
      "Experts that work on each token, instead of the configuration's number; for several, as in 1-4, a table.",
      valueName: "list"))
  var expertsPerToken: ExpertCounts?

  @Flag(help: "Also measure where the time goes, and how near its products come to the fastest this processor can.")
  var profile = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var memory: MemoryOption

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if profile, let expertsPerToken, expertsPerToken.counts.count > 1 {
      throw ValidationError("'--profile' takes one number of experts per token.")
    }
  }

  func run() throws {
    let console = common.begin()
    let folder = try model.path
    var loaded = try Model(path: folder)
    try console.note([loaded], context: windows.settings.context)
    loaded.execution.precision = precision
    let counts = expertsPerToken?.counts
    let models = try counts.map { try $0.map(loaded.withExpertsPerToken) } ?? [loaded]
    let tokenizer = try Tokenizer(path: folder)
    let corpora = try text.map { try Corpus(file: $0, tokenizer: tokenizer, model: folder) }
    let evaluation = try Evaluation(
      corpora, convention: windows.settings.convention, context: windows.settings.context, tokenizer: tokenizer
    ).divided(loaded)
    let peak = profile ? Profile.peak(precision) : 0
    let results = try models.enumerated().map { index, model in
      if profile { Profile.start() }
      let clock = ContinuousClock()
      let start = clock.now
      let score = try evaluation.score(model, memory: memory.bytes) {
        console.progress("Evaluating", (Double(index) + $0) / Double(models.count))
      }
      return Result(
        model: self.model.text, expertsPerToken: counts?[index], evaluation: evaluation, score: score,
        seconds: (clock.now - start) / .seconds(1), profile: profile ? Profiled(Profile.finish(), peak: peak) : nil)
    }
    if results.count == 1 {
      print(json ? try jsonText(results[0]) : results[0].table, terminator: "")
    } else {
      let sweep = Sweep(results, configured: loaded.configuration.mixture?.expertsPerToken ?? 1)
      print(json ? try jsonText(sweep) : sweep.table, terminator: "")
    }
  }

  /// Seconds are of processor time, all threads together; rates are of one thread.
  private struct Profiled: Encodable {
    /// The speed of a product in the caches, in 10⁹ operations a second.
    let peakGFLOPs: Double
    let stages: [Row]

    struct Row: Encodable {
      let stage: String
      let seconds: Double
      let gflops: Double
    }

    init(_ lines: [Profile.Line], peak: Double) {
      peakGFLOPs = peak / 1e9
      stages = lines.map {
        Row(stage: $0.stage.rawValue, seconds: $0.seconds, gflops: $0.operations / max($0.seconds, 1e-9) / 1e9)
      }
    }

    enum CodingKeys: String, CodingKey {
      case peakGFLOPs = "peak_gflops"
      case stages
    }

    var table: String {
      var table = Table(["stage", "cpu seconds", "share", "GFLOP/s", "of peak"])
      let whole = stages.reduce(0) { $0 + $1.seconds }
      for row in stages {
        table.append([
          row.stage, Numbers.fixed(row.seconds, 2), Numbers.fixed(100 * row.seconds / whole, 1) + " %",
          row.gflops > 0 ? Numbers.fixed(row.gflops, 0) : "",
          row.gflops > 0 ? Numbers.fixed(100 * row.gflops / peakGFLOPs, 0) + " %" : "",
        ])
      }
      return
        "\n\(table.plain)\n  Of one thread. The fastest product measured: \(Numbers.fixed(peakGFLOPs, 0)) GFLOP/s.\n"
    }
  }

  private struct Result: Encodable {
    let model: String
    let convention: String
    let context: Int
    let stride: Int?
    /// Absent where the configuration's number is used.
    let expertsPerToken: Int?
    let corpora: [Row]
    /// Over all texts.
    let perplexity: Double
    let seconds: Double
    let tokensPerSecond: Double
    let profile: Profiled?

    struct Row: Encodable {
      let text: String
      let tokens: Int
      let scoredTokens: Int
      let nll: Double
      let perplexity: Double
      /// The standard error of the nll; absent where one window gives no idea of it.
      let standardError: Double?
      /// By word, by byte and in bits, where all of a text is scored: see `Rolling`.
      let rolling: Rolling?

      enum CodingKeys: String, CodingKey {
        case text, tokens
        case scoredTokens = "scored_tokens"
        case nll, perplexity, rolling
        case standardError = "standard_error"
      }
    }

    enum CodingKeys: String, CodingKey {
      case model, convention, context, stride, corpora, seconds, profile
      case expertsPerToken = "experts_per_token"
      case tokensPerSecond = "tokens_per_second"
    }

    init(
      model: String, expertsPerToken: Int?, evaluation: Evaluation, score: Score, seconds: Double, profile: Profiled?
    ) {
      self.model = model
      self.expertsPerToken = expertsPerToken
      perplexity = score.perplexity
      convention = evaluation.convention.name
      context = evaluation.context
      stride = evaluation.convention.stride
      corpora = evaluation.corpora.enumerated().map { index, corpus in
        let part = evaluation.part(score, corpus: index)
        return Row(
          text: corpus.path, tokens: corpus.tokens.count, scoredTokens: part.tokens, nll: part.meanNLL,
          perplexity: part.perplexity, standardError: part.standardError.isFinite ? part.standardError : nil,
          rolling: evaluation.convention == .rolling ? Rolling(part, of: corpus) : nil)
      }
      self.seconds = seconds
      self.profile = profile
      tokensPerSecond = Double(score.tokens) / seconds
    }

    var table: String {
      let isRolling = corpora.contains { $0.rolling != nil }
      var table = Table(
        ["text", "tokens", "scored", "nll", "perplexity"] + (isRolling ? ["by word", "by byte", "bits/byte"] : []))
      for row in corpora {
        let further = row.rolling.map { [$0.wordPerplexity, $0.bytePerplexity, $0.bitsPerByte] } ?? []
        table.append(
          [
            fileName(row.text), Numbers.grouped(row.tokens),
            Numbers.grouped(row.scoredTokens),
            Numbers.fixed(row.nll, 4) + (row.standardError.map { " ± \(Numbers.fixed($0, 4))" } ?? ""),
            Numbers.fixed(row.perplexity, 4),
          ] + further.map { Numbers.fixed($0, 4) } + (isRolling && further.isEmpty ? ["–", "–", "–"] : []))
      }
      return "\(table.plain)\n  \(conditions); \(Numbers.duration(seconds)), "
        + "\(Numbers.grouped(Int(tokensPerSecond))) tokens a second.\n\(profile?.table ?? "")"
    }

    var windowConditions: String {
      "Convention \(convention), context \(context)" + (stride.map { ", stride \($0)" } ?? "")
    }

    private var conditions: String {
      windowConditions
        + (expertsPerToken.map { ", \($0) expert\($0 == 1 ? "" : "s") per token" } ?? "")
    }
  }

  /// The scores of the same texts with other numbers of experts.
  private struct Sweep: Encodable {
    let model: String
    let configured: Int
    let results: [Result]

    enum CodingKeys: String, CodingKey {
      case model, results
      case configured = "experts_per_token"
    }

    init(_ results: [Result], configured: Int) {
      model = results[0].model
      self.configured = configured
      self.results = results
    }

    /// Perplexities, a row for each number.
    var table: String {
      let texts = results[0].corpora.map { fileName($0.text) }
      var table = Table(["experts per token"] + texts + (texts.count > 1 ? ["all text"] : []) + ["tokens/s"])
      for result in results {
        let perplexities = result.corpora.map(\.perplexity) + (texts.count > 1 ? [result.perplexity] : [])
        table.append(
          ["\(result.expertsPerToken.map(String.init) ?? "–")"] + perplexities.map { Numbers.fixed($0, 4) }
            + [Numbers.grouped(Int(result.tokensPerSecond))])
      }
      return "\(table.plain)\n  Perplexity. \(results[0].windowConditions). The configuration has \(configured).\n"
    }
  }
}

extension Precision: ExpressibleByArgument {}
