package import Inference

/// The sum of −log p over a window's scored tokens, weighted by their number, so that the score is the mean per token
/// in nats. Perplexity is exp of it.
package struct Perplexity: Metric {
  package init() {}

  package func sample(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> WindowScore {
    WindowScore(nll: tokens.reduce(0) { $0 + $1.nll }, tokens: tokens.count)
  }

  package func gradient(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> [Double] {
    Array(repeating: 1, count: tokens.count)
  }
}
