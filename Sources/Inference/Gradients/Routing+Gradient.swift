internal import Glibc
internal import Models
internal import Tensors

extension Routing {
  /// From gradients at the experts' weights to gradients at the router's logits.
  ///
  /// Through the softmax p over all experts, with γ the gradients at p (0 for experts not chosen): pᵢ (γᵢ − Σ pⱼ γⱼ).
  /// Where the chosen weights are divided by their sum they are the softmax over the chosen alone, and the same holds
  /// for those. Through sigmoids s: γᵢ sᵢ (1 − sᵢ), or divided by their sum, with w the quotients:
  /// wᵢ (1 − sᵢ) (γᵢ − Σ wⱼ γⱼ). All times what weights are multiplied by in the end, of each
  /// expert or of all. Through a shared expert's weight
  /// σ: γ σ (1 − σ).
  ///
  /// - Parameters:
  ///   - gradients: At the weights of all tokens, by slot.
  ///   - logits: (those tokens, experts); overwritten by the result.
  ///   - shared: (those tokens, 1), to be filled; nil where no shared expert is gated.
  func propagate(
    _ gradients: [Float], tokens: Range<Int>, mixture: TransformerConfiguration.Mixture, into logits: Matrix,
    shared: Matrix?
  ) {
    let chosen = mixture.expertsPerToken
    for (row, token) in tokens.enumerated() {
      let first = token * expertsPerToken
      let slots = beforeScales(first..<first + chosen, gradients)
      let sum = slots.reduce(Float(0)) { $0 + $1.weight * $1.gradient }
      let mean = mixture.normalizesWeights ? sum / mixture.weightScale : 0
      func clear() { for expert in 0..<logits.columns { logits[row, expert] = 0 } }
      switch mixture.gating {
      case .softmax where mixture.normalizesWeights:
        clear()
        for slot in slots { logits[row, slot.expert] = slot.weight * (slot.gradient - mean) }
      case .softmax:
        var maximum = -Float.infinity
        for expert in 0..<logits.columns { maximum = max(maximum, logits[row, expert]) }
        var total: Float = 0
        for expert in 0..<logits.columns { total += expf(logits[row, expert] - maximum) }
        for expert in 0..<logits.columns { logits[row, expert] = -sum * expf(logits[row, expert] - maximum) / total }
        for slot in slots { logits[row, slot.expert] += slot.weight * slot.gradient }
      case .sigmoid:
        let rest = slots.map { 1 / (1 + expf(logits[row, $0.expert])) }
        clear()
        for (slot, rest) in zip(slots, rest) {
          logits[row, slot.expert] = slot.weight * rest * (slot.gradient - mean)
        }
      }
      if let shared {
        let slot = first + chosen
        shared[row, 0] = gradients[slot] * weights[slot] * (1 - weights[slot])
      }
    }
  }
}
