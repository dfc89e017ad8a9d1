/// A question that one of two models answers rightly.
package struct QuestionChange: Sendable, Codable {
  /// The path of its file.
  package let questions: String
  package let line: Int
  package let text: String
  /// Whether it is the second model that answers rightly.
  package let isHealed: Bool
  /// The right choice, or the continuation.
  package let gold: String
  /// What each model chose; nil for continuations.
  package let before: String?
  package let after: String?

  private enum CodingKeys: String, CodingKey {
    case questions, line, text, gold, before, after
    case isHealed = "healed"
  }

  /// - Parameter choices: What each model chose.
  init(_ question: Question, of path: String, isHealed: Bool, choices: (before: Int?, after: Int?)) {
    func chosen(_ choice: Int?) -> String? {
      guard question.kind == .choices, let choice, question.choices.indices.contains(choice) else { return nil }
      return question.choices[choice]
    }
    (questions, line, text, self.isHealed) = (path, question.line, question.text, isHealed)
    (gold, before, after) = (question.choices[question.gold], chosen(choices.before), chosen(choices.after))
  }
}

extension AnswerComparison {
  /// The questions that only one of the models answers rightly, in their order.
  package func changes(of path: String) -> [QuestionChange] {
    let healed = Set(healed)
    return (Array(healed) + broken).sorted().map { index in
      QuestionChange(
        first[index].question, of: path, isHealed: healed.contains(index),
        choices: (first[index].choice(rule), second[index].choice(rule)))
    }
  }
}

extension Evaluation {
  /// The first questions of each file that only one of two models answers rightly, by `acc`.
  package func changes(from before: Score, to after: Score, atMost limit: Int) -> [QuestionChange] {
    guard let metric = metric as? AnswerMetric else { return [] }
    return zip(corpora, ranges).flatMap { corpus, range in
      range.lazy.compactMap { index -> QuestionChange? in
        let (one, other) = (before.windows[index], after.windows[index])
        guard let question = metric.question(of: windows[index]), let wasRight = one.isRight,
          let isRight = other.isRight, wasRight != isRight
        else { return nil }
        return QuestionChange(question, of: corpus.path, isHealed: isRight, choices: (one.choice, other.choice))
      }.prefix(limit)
    }
  }
}
