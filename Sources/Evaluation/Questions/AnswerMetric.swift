package import Inference

/// Of a question, −log of the right choice's probability among the choices, so that the score is its mean per question;
/// of a continuation, −log of its own. Windows without a number are text, and count as for `Perplexity`.
package struct AnswerMetric: Metric {
  /// By the number of their windows.
  private let questions: [Question]
  /// What a question counts beside a token of text.
  private var weight = 1

  package init(_ questions: [Question]) { self.questions = questions }

  /// The same with questions that count as several tokens each.
  func counting(tokensEach count: Int) -> AnswerMetric {
    var metric = self
    metric.weight = count
    return metric
  }

  package func sample(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> WindowScore {
    guard let answer = answer(window, tokens) else { return Perplexity().sample(window, tokens) }
    return WindowScore(
      nll: answer.nll * Double(weight), tokens: weight, isRight: answer.isRight(),
      isRightByLength: answer.isRight(.accNorm),
      choice: answer.question.kind == .choices ? answer.choice(.acc) : nil)
  }

  /// With p the softmax over the choices' sums of log-likelihoods, the derivative of −log p(gold) by a token's −log p
  /// is [its choice is gold] − p of its choice.
  package func gradient(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> [Double] {
    guard let answer = answer(window, tokens) else { return Perplexity().gradient(window, tokens) }
    guard answer.question.kind == .choices else { return tokens.map { _ in Double(weight) } }
    let probabilities = answer.probabilities
    return window.parts.enumerated().flatMap { choice, part in
      let derivative = (choice == answer.question.gold ? 1 : 0) - probabilities[choice]
      return Array(repeating: Double(weight) * derivative, count: part.count)
    }
  }

  /// Nil for text.
  func question(of window: WindowBatch.Window) -> Question? { window.number.map { questions[$0] } }

  /// What a window's likelihoods say of its question; nil for text.
  package func answer(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> Answer? {
    guard let number = window.number else { return nil }
    let parts = window.parts.map { tokens[tokens.startIndex + $0.lowerBound..<tokens.startIndex + $0.upperBound] }
    return Answer(
      question: questions[number], logLikelihoods: parts.map { -$0.reduce(0) { $0 + $1.nll } },
      isGreedy: parts.map { $0.allSatisfy(\.isTop) })
  }
}
