internal import Glibc

/// What a model made of one question: log p of each choice's continuation after its context, in nats.
package struct Answer: Sendable, Equatable {
  package let question: Question
  /// By choice.
  package let logLikelihoods: [Double]
  /// By choice: whether the model, taking the likeliest token each time, would write it.
  package let isGreedy: [Bool]
  /// The same of the choices alone, without a question; nil where they were not measured.
  package var withoutContext: [Double]?

  package init(question: Question, logLikelihoods: [Double], isGreedy: [Bool], withoutContext: [Double]? = nil) {
    precondition(logLikelihoods.count == question.pairs.count && isGreedy.count == logLikelihoods.count)
    (self.question, self.logLikelihoods, self.isGreedy) = (question, logLikelihoods, isGreedy)
    self.withoutContext = withoutContext
  }

  /// By which scores the best choice is taken; the names are those of lm-evaluation-harness.
  package enum Rule: String, CaseIterable, Sendable {
    case acc
    /// Divided by the choices' characters.
    case accNorm = "acc_norm"
    /// Divided by their bytes.
    case accBytes = "acc_bytes"
    /// Less what the choice gets without the question.
    case accMutualInfo = "acc_mutual_info"
  }

  /// The choice that a rule takes, the first of equal ones; nil where its scores were not measured.
  package func choice(_ rule: Rule) -> Int? {
    switch rule {
    case .acc: best(logLikelihoods)
    case .accNorm: best(zip(logLikelihoods, question.characters).map { $0 / Double($1) })
    case .accBytes: best(zip(logLikelihoods, question.bytes).map { $0 / Double($1) })
    case .accMutualInfo: withoutContext.flatMap { best(zip(logLikelihoods, $0).map { $0 - $1 }) }
    }
  }

  private func best(_ scores: [Double]) -> Int? {
    scores.indices.max { scores[$0] < scores[$1] || (scores[$0] == scores[$1] && $0 > $1) }
  }

  /// Whether the answer is the right one; of a continuation, whether the model would write it.
  package func isRight(_ rule: Rule = .acc) -> Bool? {
    switch question.kind {
    case .choices: choice(rule).map { $0 == question.gold }
    case .continuation: rule == .acc ? isGreedy[0] : nil
    }
  }

  /// The probability of each choice among them: the softmax of their log-likelihoods.
  package var probabilities: [Double] {
    let maximum = logLikelihoods.max() ?? 0
    let exponentials = logLikelihoods.map { exp($0 - maximum) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }

  /// −log of the right choice's probability among the choices; of a continuation, −log of its own.
  package var nll: Double {
    guard question.kind == .choices else { return -logLikelihoods[0] }
    let maximum = logLikelihoods.max() ?? 0
    return maximum + log(logLikelihoods.reduce(0) { $0 + exp($1 - maximum) }) - logLikelihoods[question.gold]
  }

  /// Σ (p − 1 for the right choice)² over the choices; nil for a continuation.
  package var brier: Double? {
    guard question.kind == .choices else { return nil }
    return probabilities.enumerated().reduce(0) { sum, entry in
      let miss = entry.element - (entry.offset == question.gold ? 1 : 0)
      return sum + miss * miss
    }
  }
}
