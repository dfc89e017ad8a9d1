internal import Glibc
internal import Tensors

extension Routing {
  /// From gradients at the experts' weights to gradients at the router's logits.
  ///
  /// Through the softmax p over all experts, with γ the gradients at p (0 for experts not chosen): pᵢ (γᵢ − Σ pⱼ γⱼ).
  /// Where the chosen weights are divided by their sum they are the softmax over the chosen alone, and the same holds
  /// for those. Through the shared expert's weight σ: γ σ (1 − σ).
  ///
  /// - Parameters:
  ///   - gradients: At the weights of all tokens, by slot.
  ///   - logits: (those tokens, experts); overwritten by the result.
  ///   - shared: (those tokens, 1), to be filled; nil without a shared expert.
  func propagate(
    _ gradients: [Float], tokens: Range<Int>, normalizes: Bool, into logits: Matrix, shared: Matrix?
  ) {
    let chosen = expertsPerToken - (shared == nil ? 0 : 1)
    for (row, token) in tokens.enumerated() {
      let first = token * expertsPerToken
      let slots = first..<first + chosen
      let mean = slots.reduce(Float(0)) { $0 + weights[$1] * gradients[$1] }
      if normalizes {
        for expert in 0..<logits.columns { logits[row, expert] = 0 }
        for slot in slots { logits[row, Int(experts[slot])] = weights[slot] * (gradients[slot] - mean) }
      } else {
        var maximum = -Float.infinity
        for expert in 0..<logits.columns { maximum = max(maximum, logits[row, expert]) }
        var sum: Float = 0
        for expert in 0..<logits.columns { sum += expf(logits[row, expert] - maximum) }
        for expert in 0..<logits.columns { logits[row, expert] = -mean * expf(logits[row, expert] - maximum) / sum }
        for slot in slots { logits[row, Int(experts[slot])] += weights[slot] * gradients[slot] }
      }
      if let shared {
        let slot = first + chosen
        shared[row, 0] = gradients[slot] * weights[slot] * (1 - weights[slot])
      }
    }
  }
}
