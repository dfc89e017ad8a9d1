internal import Glibc

/// What a model makes of one window: summed negative log-likelihood in nats, and over how many tokens. A question
/// counts as one.
package struct WindowScore: Sendable, Equatable, Codable, BitwiseCopyable {
  package let nll: Double
  package let tokens: Int
  /// Whether the answer of a question is right; nil for text.
  package let isRight: Bool?
  /// The same by likelihoods divided by the choices' lengths.
  package let isRightByLength: Bool?
  /// The likeliest choice of a question; nil for text and continuations.
  package let choice: Int?

  package init(
    nll: Double, tokens: Int, isRight: Bool? = nil, isRightByLength: Bool? = nil, choice: Int? = nil
  ) {
    (self.nll, self.tokens, self.isRight, self.isRightByLength) = (nll, tokens, isRight, isRightByLength)
    self.choice = choice
  }

  private enum CodingKeys: String, CodingKey {
    case nll, tokens, choice
    case isRight = "right"
    case isRightByLength = "right_by_length"
  }
}

/// The score of a model on some windows. All figures are nats per scored token unless they are perplexities.
package struct Score: Sendable, Equatable {
  package let windows: [WindowScore]

  package init(_ windows: [WindowScore]) { self.windows = windows }

  package var tokens: Int { windows.reduce(0) { $0 + $1.tokens } }

  package var meanNLL: Double { windows.reduce(0) { $0 + $1.nll } / Double(tokens) }

  package var perplexity: Double { exp(meanNLL) }

  /// How many questions are answered rightly; nil where there are none.
  package var accuracy: Accuracy? { Accuracy(windows.compactMap(\.isRight)) }

  /// The same by likelihoods divided by the choices' lengths; nil where there are no choices.
  package var accuracyByLength: Accuracy? { Accuracy(windows.compactMap(\.isRightByLength)) }

  /// The standard error of the mean nll, taking windows as the independent samples. See `meanAndError`.
  package var standardError: Double { meanAndError(sums: windows.map(\.nll), counts: windows.map(\.tokens)).error }
}

/// How much one model is better than another on the same windows: the change of the mean nll and its standard error,
/// which is far smaller than that of either score because most of what varies between windows varies in both.
package struct PairedDelta: Sendable, Equatable {
  /// Negative where the second model is better; nats per token.
  package let mean: Double
  package let standardError: Double

  package init(mean: Double, standardError: Double) {
    self.mean = mean
    self.standardError = standardError
  }

  package init(from before: Score, to after: Score) {
    precondition(before.windows.map(\.tokens) == after.windows.map(\.tokens), "scores of different windows")
    let sums = zip(before.windows, after.windows).map { $1.nll - $0.nll }
    (mean, standardError) = meanAndError(sums: sums, counts: before.windows.map(\.tokens))
  }
}

/// The mean per token of sums over windows, with the standard error of that ratio (Cochran 1977, §6.3):
/// √( W/(W−1) · Σ (sᵢ − mean · nᵢ)² ) / Σ nᵢ; with windows of one length, the usual one of a mean of window means.
/// One window gives no idea of its error: infinity.
private func meanAndError(sums: [Double], counts: [Int]) -> (mean: Double, error: Double) {
  let total = Double(counts.reduce(0, +))
  let mean = sums.reduce(0, +) / total
  let number = Double(counts.count(where: { $0 > 0 }))
  guard number > 1 else { return (mean, .infinity) }
  let squares = zip(sums, counts).reduce(0) { partial, window in
    let residual = window.0 - mean * Double(window.1)
    return partial + residual * residual
  }
  return (mean, (number / (number - 1) * squares).squareRoot() / total)
}
