package import Inference
package import Wording

/// What is made of the −log p of a window's scored tokens: one sample for each window, a sum and the number that it is
/// a sum of. A model's score is Σ sums / Σ numbers over the windows (`Score`), and two models differ by the paired
/// difference of their samples (`PairedDelta`).
package protocol Metric: Sendable {
  /// What a window scores; lower is better.
  ///
  /// - Parameter nlls: −log p of the window's scored tokens in nats, in their order.
  func sample(_ window: WindowBatch.Window, nlls: ArraySlice<Double>) -> WindowScore
}

extension Metric {
  /// The samples of a batch's windows.
  ///
  /// - Parameter nlls: −log p of all scored tokens in nats, in the order of the batch.
  /// - Throws: `InputError` for a window whose sample is not a number.
  package func samples(of batch: WindowBatch, _ nlls: [Double]) throws(InputError) -> [WindowScore] {
    var result: [WindowScore] = []
    var position = 0
    for window in batch.windows {
      let end = position + window.scoredCount
      let sample = sample(window, nlls: nlls[position..<end])
      guard sample.nll.isFinite else {
        throw InputError("the model's output is not a number in window \(result.count); its weights are damaged")
      }
      result.append(sample)
      position = end
    }
    return result
  }

  /// The same of a changed model that is tried, whose numbers may leave the range of float32 where the original's do not:
  /// a token without a likelihood then counts as the least likely that float32 can say, so that the model is judged, and
  /// rejected.
  package func samples(ofTrial batch: WindowBatch, _ nlls: [Double]) throws(InputError) -> [WindowScore] {
    try samples(of: batch, nlls.map { $0.isFinite ? $0 : Double(Float.greatestFiniteMagnitude) })
  }
}
