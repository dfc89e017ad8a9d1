internal import Checkpoints
internal import Inference
package import Models
internal import Processes
internal import Wording

/// Two models on the same windows: their scores, and how far the second's predictions are from the first's.
package struct ModelComparison: Sendable {
  package let first: Score
  package let second: Score
  /// KL(first ‖ second) of every scored token, in nats, ascending.
  package let divergences: [Double]
  /// Share of scored tokens for which both find the same token most likely.
  package let sameTopShare: Double
  /// The mean divergence by window, with its error.
  package let meanDivergence: (value: Double, standardError: Double)

  package var delta: PairedDelta { PairedDelta(from: first, to: second) }

  /// The divergence that a share of the tokens stays below.
  package func divergence(percentile share: Double) -> Double {
    divergences[min(divergences.count - 1, Int(share * Double(divergences.count)))]
  }
}

extension Evaluation {
  /// Runs both models over every window, in groups whose states fit the memory.
  ///
  /// - Throws: `InputError` if they do not have the same vocabulary size, `MemoryPlan.TooSmall`.
  package func compare(
    _ first: Model, _ second: Model, memory: Int = .max, progress: (Double) throws -> Void = { _ in }
  ) throws -> ModelComparison {
    guard first.configuration.vocabularySize == second.configuration.vocabularySize else {
      throw InputError(
        "\(second.checkpoint.path): its vocabulary has \(second.configuration.vocabularySize) tokens, the other model's "
          + "\(first.configuration.vocabularySize); only models of one tokenizer compare")
    }
    let (groups, plan) = try groups(for: [first, second], memory: memory, others: first.bytesOfDivergences)
    var likelihoods: [[TokenLikelihood]] = [[], []]
    /// The divergence as if it were −log p, and whether the likeliest token is the same.
    var divergences: [TokenLikelihood] = []
    for (number, group) in groups.enumerated() {
      let batch = WindowBatch(Array(windows[group]))
      let passes = try [first, second].map { try ForwardPass($0.within(plan), batch) }
      let states = try passes.map { pass in
        let states = try pass.embeddings()
        for layer in 0..<pass.model.configuration.layerCount { try pass.run(layer: layer, states) }
        return states
      }
      for index in passes.indices {
        let found = try passes[index].likelihoods(states[index])
        _ = try metric.samples(of: batch, found)
        likelihoods[index] += found
      }
      divergences += try passes[0].divergences(states[0], from: passes[1], states[1])
        .map { TokenLikelihood(nll: $0.nats, isTop: $0.sameTop) }
      try progress(Double(number + 1) / Double(groups.count))
    }
    let scores = try likelihoods.map { Score(try samples(Array(processes.gather($0).joined()))) }
    divergences = Array(processes.gather(divergences).joined())
    // Their mean per token is wanted, as of −log p.
    let byWindow = Score(try Perplexity().samples(of: WindowBatch(windows), divergences))
    return ModelComparison(
      first: scores[0], second: scores[1], divergences: divergences.map(\.nll).sorted(),
      sameTopShare: Double(divergences.count(where: \.isTop)) / Double(divergences.count),
      meanDivergence: (byWindow.meanNLL, byWindow.standardError))
  }
}
