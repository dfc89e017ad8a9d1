internal import Checkpoints
internal import Evaluation
internal import Reports
internal import Wording

/// What `laser score` prints.
struct QuestionScores: Encodable {
  let model: String
  let files: [Row]
  /// Over the files of a kind, where there are several.
  let pooled: [Row]
  /// Tokens that were run.
  let tokens: Int
  let seconds: Double

  struct Row: Encodable {
    /// Nil for all files of a kind.
    let questions: String?
    let kind: String
    let count: Int
    let acc: Figure
    let accNorm: Figure?
    let accBytes: Figure?
    let accMutualInfo: Figure?
    let brierScore: Figure?
    /// Nats per question.
    let nll: Figure
    /// Of continuations.
    let perplexity: Double?
    let answers: [Entry]?

    enum CodingKeys: String, CodingKey {
      case questions, kind, count, acc, nll, perplexity, answers
      case accNorm = "acc_norm"
      case accBytes = "acc_bytes"
      case accMutualInfo = "acc_mutual_info"
      case brierScore = "brier_score"
    }

    init(_ path: String?, _ score: TaskScore, showsAnswers: Bool = false) {
      questions = path
      kind = score.kind == .choices ? "choices" : "continuation"
      count = score.answers.count
      acc = Figure(score.accuracy(.acc) ?? Accuracy(right: 0, count: 0))
      accNorm = score.accuracy(.accNorm).map(Figure.init)
      accBytes = score.accuracy(.accBytes).map(Figure.init)
      accMutualInfo = score.accuracy(.accMutualInfo).map(Figure.init)
      brierScore = score.brier.map(Figure.init)
      nll = Figure(score.likelihood)
      perplexity = score.kind == .continuation ? score.likelihood.perplexity : nil
      answers = showsAnswers ? score.answers.map(Entry.init) : nil
    }
  }

  struct Figure: Encodable {
    let value: Double
    /// Absent where one question gives no idea of it.
    let standardError: Double?

    enum CodingKeys: String, CodingKey {
      case value
      case standardError = "standard_error"
    }

    init(_ accuracy: Accuracy) { self.init(accuracy.share, accuracy.standardError) }
    init(_ score: Score) { self.init(score.meanNLL, score.standardError) }

    private init(_ value: Double, _ error: Double) {
      self.value = value
      standardError = error.isFinite ? error : nil
    }

    func text(_ digits: Int) -> String {
      Numbers.fixed(value, digits) + (standardError.map { " ± " + Numbers.fixed($0, digits) } ?? "")
    }
  }

  /// One question.
  struct Entry: Encodable {
    let line: Int
    let gold: Int?
    let choice: Int?
    let right: Bool
    let logLikelihoods: [Double]
    let greedy: [Bool]
    let withoutContext: [Double]?

    enum CodingKeys: String, CodingKey {
      case line, gold, choice, right, greedy
      case logLikelihoods = "log_likelihoods"
      case withoutContext = "without_context"
    }

    init(_ answer: Answer) {
      let hasChoices = answer.question.kind == .choices
      line = answer.question.line
      gold = hasChoices ? answer.question.gold : nil
      choice = hasChoices ? answer.choice(.acc) : nil
      right = answer.isRight() ?? false
      (logLikelihoods, greedy, withoutContext) = (answer.logLikelihoods, answer.isGreedy, answer.withoutContext)
    }
  }

  init(
    model: String, _ evaluation: Evaluation, _ answers: [Answer], tokens: Int, seconds: Double, showsAnswers: Bool
  ) {
    (self.model, self.tokens, self.seconds) = (model, tokens, seconds)
    let scores = evaluation.ranges.map { TaskScore(Array(answers[$0])) }
    files = zip(evaluation.corpora, scores).map { Row($0.path, $1, showsAnswers: showsAnswers) }
    pooled = [Question.Kind.choices, .continuation].compactMap { kind in
      let ofKind = scores.filter { $0.kind == kind }
      return ofKind.count > 1 ? Row(nil, TaskScore(ofKind.flatMap(\.answers))) : nil
    }
  }

  var table: String {
    func rows(_ kind: String) -> [Row] { (files + pooled).filter { $0.kind == kind } }
    func name(_ row: Row) -> String { row.questions.map(fileName) ?? "all of them" }
    var tables: [Table] = []
    let choices = rows("choices")
    if !choices.isEmpty {
      let hasMutualInfo = choices.contains { $0.accMutualInfo != nil }
      var table = Table(
        ["choices", "count", "acc", "acc_norm", "acc_bytes"] + (hasMutualInfo ? ["acc_mutual_info"] : [])
          + ["brier", "nll"])
      for row in choices {
        table.append(
          [name(row), Numbers.grouped(row.count), row.acc.text(3), row.accNorm?.text(3) ?? "–"]
            + ([row.accBytes] + (hasMutualInfo ? [row.accMutualInfo] : []) + [row.brierScore, row.nll]).map {
              $0.map { Numbers.fixed($0.value, 3) } ?? "–"
            })
      }
      tables.append(table)
    }
    let continuations = rows("continuation")
    if !continuations.isEmpty {
      var table = Table(["continuations", "count", "acc", "perplexity", "nll"])
      for row in continuations {
        table.append([
          name(row), Numbers.grouped(row.count), row.acc.text(3), row.perplexity.map { Numbers.fixed($0, 3) } ?? "–",
          row.nll.text(3),
        ])
      }
      tables.append(table)
    }
    return """
      \(tables.map(\.plain).joined(separator: "\n\n"))
        nll: nats per question, of the right choice among the choices or of the continuation.
        \(Numbers.grouped(tokens)) tokens run; \(Numbers.duration(seconds)).

      """
  }
}
