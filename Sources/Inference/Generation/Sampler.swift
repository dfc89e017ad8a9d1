internal import Glibc
internal import Tensors

/// Chooses the next token from its logits: the likeliest, or one drawn at random.
package struct Sampler {
  private let temperature: Double
  private let topP: Double
  private var generator: SplitMix64

  /// - Parameters:
  ///   - temperature: Logits are divided by it; 0 takes the likeliest token.
  ///   - topP: Only the likeliest tokens that together have this probability are drawn from (nucleus sampling, Holtzman
  ///     and others 2020), 1 for all.
  ///   - seed: Equal seeds draw equal texts.
  package init(temperature: Double, topP: Double, seed: UInt64) {
    precondition(temperature >= 0 && topP > 0 && topP <= 1)
    self.temperature = temperature
    self.topP = topP
    generator = SplitMix64(seed: seed)
  }

  package mutating func next(_ logits: [Float]) -> Int32 {
    precondition(!logits.isEmpty)
    // Equal logits: the lower id.
    let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    guard temperature > 0 else { return Int32(order[0]) }
    let largest = Double(logits[order[0]])
    var weights = order.map { exp((Double(logits[$0]) - largest) / temperature) }
    let total = weights.reduce(0, +)
    var reached = 0.0
    let kept =
      (weights.firstIndex {
        reached += $0; return reached >= topP * total
      } ?? weights.count - 1) + 1
    weights.removeSubrange(kept...)
    var left = Double.random(in: 0..<1, using: &generator) * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return Int32(order[index]) }
    }
    return Int32(order[kept - 1])
  }
}
