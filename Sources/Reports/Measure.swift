internal import Evaluation
package import Search

/// How the scores of a search are shown: the perplexity of text, the share of right answers of questions; of both
/// together, the mean −log p.
package struct Measure {
  private let hasText: Bool
  private let hasQuestions: Bool

  package init(_ settings: SearchSettings) {
    (hasText, hasQuestions) = (!settings.text.isEmpty, !settings.questions.isEmpty)
  }

  static func value(_ score: Score) -> String {
    guard let accuracy = score.accuracy else { return Numbers.fixed(score.perplexity, 3) }
    return Numbers.fixed(accuracy.count == score.windows.count ? accuracy.share : score.meanNLL, 3)
  }

  /// What a change is counted in; with a text, a question counts as so many tokens.
  var unit: String { hasText || !hasQuestions ? "nats per token" : "nats per question" }

  var shortUnit: String { unit.replacing(" per ", with: "/") }

  /// "held-out text"
  var subject: String {
    hasQuestions ? hasText ? "text and questions" : "questions" : "text"
  }

  /// What stands before and after.
  var name: String { hasQuestions ? hasText ? "perplexity or accuracy" : "accuracy" : "perplexity" }

  /// What a search lowers.
  var loss: String { hasQuestions ? "−log p" : "perplexity" }

  /// How texts are cut, and how questions are scored.
  package func conditions(_ settings: SearchSettings) -> String {
    let texts = hasText ? "Perplexity by \(SummaryText.conventionText(settings))." : nil
    let questions =
      hasQuestions
      ? "Accuracy is acc of lm-evaluation-harness; the change is that of −log of the right choice's probability." : nil
    return [texts, questions].compactMap(\.self).joined(separator: "\n  ")
  }
}
