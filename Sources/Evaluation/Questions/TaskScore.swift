/// The scores of some questions of one kind, as lm-evaluation-harness names and computes them.
package struct TaskScore: Sendable {
  package let answers: [Answer]

  /// - Parameter answers: Of one kind, and at least one.
  package init(_ answers: [Answer]) {
    precondition(!answers.isEmpty && answers.allSatisfy { $0.question.kind == answers[0].question.kind })
    self.answers = answers
  }

  package var kind: Question.Kind { answers[0].question.kind }

  /// Nil where the rule does not go with the kind, or its scores were not measured.
  package func accuracy(_ rule: Answer.Rule) -> Accuracy? {
    let right = answers.compactMap { $0.isRight(rule) }
    return right.count == answers.count ? Accuracy(right) : nil
  }

  /// −log of the right choice's probability among the choices, of a continuation its own, by question: nats per
  /// question, and exp of it LAMBADA's perplexity.
  package var likelihood: Score { Self.likelihood(of: answers) }

  /// The same of answers of any kind.
  static func likelihood(of answers: [Answer]) -> Score { mean(of: answers.map(\.nll)) }

  /// Brier's score; nil for continuations.
  package var brier: Score? {
    let values = answers.compactMap(\.brier)
    return values.count == answers.count ? Self.mean(of: values) : nil
  }

  private static func mean(of values: [Double]) -> Score { Score(values.map { WindowScore(nll: $0, tokens: 1) }) }
}
