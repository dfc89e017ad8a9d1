package import Inference
package import Wording

/// What is made of the −log p of a window's scored tokens: one sample for each window, a sum and the number that it is
/// a sum of. A model's score is Σ sums / Σ numbers over the windows (`Score`), and two models differ by the paired
/// difference of their samples (`PairedDelta`).
package protocol Metric: Sendable {
  /// What a window scores; lower is better.
  ///
  /// - Parameter tokens: What the window's scored tokens got, in their order.
  func sample(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> WindowScore

  /// The derivative of the sample's sum by each token's −log p: what a backward pass begins with.
  func gradient(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> [Double]
}

extension Metric {
  /// The samples of a batch's windows.
  ///
  /// - Parameter tokens: What all scored tokens got, in the order of the batch.
  /// - Throws: `InputError` for a window whose sample is not a number.
  package func samples(of batch: WindowBatch, _ tokens: [TokenLikelihood]) throws(InputError) -> [WindowScore] {
    let samples = each(of: batch, tokens) { sample($0, $1) }
    if let damaged = samples.firstIndex(where: { !$0.nll.isFinite }) {
      throw InputError("the model's output is not a number in window \(damaged); its weights are damaged")
    }
    return samples
  }

  /// The same of a changed model that is tried, whose numbers may leave the range of float32 where the original's do not:
  /// a token without a likelihood then counts as the least likely that float32 can say, so that the model is judged, and
  /// rejected.
  package func samples(
    ofTrial batch: WindowBatch, _ tokens: [TokenLikelihood]
  ) throws(InputError) -> [WindowScore] {
    let worst = TokenLikelihood(nll: Double(Float.greatestFiniteMagnitude), isTop: false)
    return try samples(of: batch, tokens.map { $0.nll.isFinite ? $0 : worst })
  }

  /// The derivatives of all samples, by scored token of the batch.
  package func gradients(of batch: WindowBatch, _ tokens: [TokenLikelihood]) -> [Double] {
    each(of: batch, tokens) { gradient($0, $1) }.flatMap(\.self)
  }

  /// Goes through the windows of a batch with what their tokens got.
  func each<Value>(
    of batch: WindowBatch, _ tokens: [TokenLikelihood],
    _ body: (WindowBatch.Window, ArraySlice<TokenLikelihood>) -> Value
  ) -> [Value] {
    var position = 0
    return batch.windows.map { window in
      defer { position += window.scoredCount }
      return body(window, tokens[position..<position + window.scoredCount])
    }
  }
}
