internal import Checkpoints
internal import Evaluation
internal import Reports
internal import Search
internal import Wording

/// What `laser compare` prints of questions.
struct QuestionComparison: Encodable {
  let models: [String]
  let rule: String
  let files: [Row]
  /// Over all files, where there are several.
  let pooled: Row?
  /// The questions that only one model answers rightly, in the order of the files.
  let changed: [QuestionChange]

  struct Row: Encodable {
    /// Nil for all files.
    let questions: String?
    let count: Int
    /// Shares of right answers.
    let before: Double
    let after: Double
    let healed: Int
    let broken: Int
    /// McNemar's exact test, two-sided.
    let pValue: Double
    let nll: LikelihoodChange

    /// Nats per question, paired.
    struct LikelihoodChange: Encodable {
      let change: Double
      /// Absent where one question gives no idea of it.
      let standardError: Double?
      /// Paired t test, two-sided.
      let pValue: Double

      enum CodingKeys: String, CodingKey {
        case change
        case standardError = "standard_error"
        case pValue = "p_value"
      }
    }

    enum CodingKeys: String, CodingKey {
      case questions, count, before, after, healed, broken, nll
      case pValue = "p_value"
    }

    init(_ path: String?, _ comparison: AnswerComparison) {
      let (accuracies, delta) = (comparison.accuracies, comparison.likelihoods)
      questions = path
      count = comparison.first.count
      (before, after) = (accuracies.first.share, accuracies.second.share)
      (healed, broken) = (comparison.healed.count, comparison.broken.count)
      pValue = comparison.mcNemar
      nll = LikelihoodChange(
        change: delta.mean, standardError: delta.standardError.isFinite ? delta.standardError : nil,
        pValue: Significance.twoSidedPValue(delta, windows: count))
    }
  }

  init(
    models: [String], _ evaluation: Evaluation, _ first: [Answer], _ second: [Answer], by rule: Answer.Rule
  ) {
    self.models = models
    self.rule = rule.rawValue
    func comparison(_ range: Range<Int>) -> AnswerComparison {
      AnswerComparison(Array(first[range]), Array(second[range]), by: rule)
    }
    files = zip(evaluation.corpora, evaluation.ranges).map { Row($0.path, comparison($1)) }
    pooled = files.count > 1 ? Row(nil, comparison(first.indices)) : nil
    changed = zip(evaluation.corpora, evaluation.ranges).flatMap { comparison($1).changes(of: $0.path) }
  }

  /// Changed questions that a table shows.
  private static let mostShown = 20

  var table: String {
    let rows = files + (pooled.map { [$0] } ?? [])
    func name(_ row: Row) -> String { row.questions.map { fileName($0) } ?? "all of them" }
    var answers = Table(["questions", "count", "before", "after", "healed", "broken", "p"])
    var likelihoods = Table(["questions", "change of nll, nats", "p"])
    for row in rows {
      answers.append([
        name(row), Numbers.grouped(row.count), Numbers.fixed(row.before, 3), Numbers.fixed(row.after, 3),
        "\(row.healed)", "\(row.broken)", Self.probability(row.pValue),
      ])
      let error = row.nll.standardError.map { " ± " + Numbers.fixed($0, 4) } ?? ""
      likelihoods.append([
        name(row), Numbers.signed(row.nll.change, 4) + error, Self.probability(row.nll.pValue),
      ])
    }
    return """
      \(answers.plain)

      \(likelihoods.plain)
        \(rule) of \(models[0]) before and \(models[1]) after; nll of the right choice among the choices,
        or of the continuation, per question.
      \(changes)
      """
  }

  private var changes: String {
    guard !changed.isEmpty else { return "" }
    var lines = [""]
    for change in changed.prefix(Self.mostShown) {
      lines.append(
        "  \(change.isHealed ? "healed" : "broken")  \(fileName(change.questions)), line \(change.line): "
          + questionExcerpt(change.text))
      lines.append("          right: \(questionExcerpt(change.gold))")
      if let other = change.isHealed ? change.before : change.after {
        lines.append("          \(change.isHealed ? "before" : "after"): \(questionExcerpt(other))")
      }
    }
    if changed.count > Self.mostShown { lines.append("  and \(changed.count - Self.mostShown) more: see --json") }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func probability(_ value: Double) -> String {
    value < 0.0001 ? "<0.0001" : Numbers.fixed(value, 4)
  }
}
