package import Inference

/// The sum of −log p over a window's scored tokens, weighted by their number, so that the score is the mean per token
/// in nats. Perplexity is exp of it.
package struct Perplexity: Metric {
  package init() {}

  package func sample(_ window: WindowBatch.Window, nlls: ArraySlice<Double>) -> WindowScore {
    WindowScore(nll: nlls.reduce(0, +), tokens: nlls.count)
  }
}
