internal import Glibc

/// Two models' answers to the same questions.
package struct AnswerComparison: Sendable {
  package let first: [Answer]
  package let second: [Answer]
  /// By which answers are taken; continuations have one rule.
  let rule: Answer.Rule

  package init(_ first: [Answer], _ second: [Answer], by rule: Answer.Rule) {
    precondition(first.map(\.question) == second.map(\.question) && !first.isEmpty, "answers to other questions")
    (self.first, self.second, self.rule) = (first, second, rule)
  }

  private func isRight(_ answer: Answer) -> Bool { answer.isRight(rule) ?? answer.isRight() ?? false }

  package var accuracies: (first: Accuracy, second: Accuracy) {
    func accuracy(_ answers: [Answer]) -> Accuracy {
      Accuracy(right: answers.count(where: isRight), count: answers.count)
    }
    return (accuracy(first), accuracy(second))
  }

  /// Questions that only the second model answers rightly.
  package var healed: [Int] { first.indices.filter { !isRight(first[$0]) && isRight(second[$0]) } }

  /// Questions that only the first model answers rightly.
  package var broken: [Int] { first.indices.filter { isRight(first[$0]) && !isRight(second[$0]) } }

  /// The probability that chance alone would heal and break as unequally: McNemar's exact test, two-sided. Without a
  /// difference each question that changes is healed or broken with probability ½.
  package var mcNemar: Double { Self.mcNemar(healed: healed.count, broken: broken.count) }

  package static func mcNemar(healed: Int, broken: Int) -> Double {
    let count = healed + broken
    // Σ C(n, k) / 2ⁿ over k up to the smaller number, in logarithms: n may be thousands.
    func logProbability(_ k: Int) -> Double {
      lgamma(Double(count + 1)) - lgamma(Double(k + 1)) - lgamma(Double(count - k + 1)) - Double(count) * log(2)
    }
    let tail = (0...min(healed, broken)).reduce(0) { $0 + exp(logProbability($1)) }
    return min(1, 2 * tail)
  }

  /// The change of −log of the right choice's probability, paired by question: nats per question, below 0 where the
  /// second model is better.
  package var likelihoods: PairedDelta {
    PairedDelta(from: TaskScore.likelihood(of: first), to: TaskScore.likelihood(of: second))
  }
}
