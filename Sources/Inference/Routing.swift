internal import Glibc
internal import Tensors

/// Which experts each token goes to, and with which weight.
///
/// A token has as many slots as experts work on it: slot `token · expertsPerToken + j` is its j-th, by ascending number
/// of the expert. A dense layer has one expert, one slot a token, and weight 1. A shared expert works on every token and
/// stands after the others: its number is the count of those, its slot a token's last.
package struct Routing: Sendable {
  /// A shared expert included.
  package let expertsPerToken: Int
  /// By slot.
  package let experts: [Int32]
  package let weights: [Float]
  /// The slots of each expert, ascending.
  package let slots: [[Int32]]

  /// All tokens to the one expert of a dense layer.
  init(denseTokens count: Int) {
    expertsPerToken = 1
    experts = Array(repeating: 0, count: count)
    weights = Array(repeating: 1, count: count)
    slots = [(0..<Int32(count)).map(\.self)]
  }

  /// Softmax over all experts in float32, and the k largest. Equal ones: the lower number.
  ///
  /// - Parameters:
  ///   - logits: (tokens, experts)
  ///   - normalizes: Whether the k weights are divided by their sum.
  ///   - shared: The logit of the shared expert for each token, whose sigmoid is its weight; nil without one.
  init(logits: Matrix, expertsPerToken count: Int, normalizes: Bool, shared: [Float]?) {
    let perToken = count + (shared == nil ? 0 : 1)
    var experts: [Int32] = []
    var weights: [Float] = []
    experts.reserveCapacity(logits.rows * perToken)
    weights.reserveCapacity(logits.rows * perToken)
    var slots = Array(repeating: [Int32](), count: logits.columns + perToken - count)
    func add(_ expert: Int, _ weight: Float) {
      slots[expert].append(Int32(experts.count))
      experts.append(Int32(expert))
      weights.append(weight)
    }
    for token in 0..<logits.rows {
      let row = logits.row(token)
      let maximum = row.max() ?? 0
      let exponentials = row.map { expf($0 - maximum) }
      let sum = exponentials.reduce(0, +)
      let probabilities = exponentials.map { $0 / sum }
      let chosen = Self.largest(count, of: probabilities).sorted()
      let divisor = normalizes ? chosen.reduce(0) { $0 + probabilities[$1] } : 1
      for expert in chosen { add(expert, probabilities[expert] / divisor) }
      if let shared { add(logits.columns, 1 / (1 + expf(-shared[token]))) }
    }
    expertsPerToken = perToken
    self.experts = experts
    self.weights = weights
    self.slots = slots
  }

  /// The number of the expert that a feed-forward site belongs to, among those of `slots`.
  package func expert(of site: Site) -> Int {
    precondition(site.role.part != .attention, "\(site) belongs to no expert")
    return site.role.part == .sharedExpert ? slots.count - 1 : site.expert ?? 0
  }

  private static func largest(_ count: Int, of values: [Float]) -> [Int] {
    var chosen: [Int] = []
    for _ in 0..<count {
      var best = -1
      for index in values.indices where !chosen.contains(index) && (best < 0 || values[index] > values[best]) {
        best = index
      }
      chosen.append(best)
    }
    return chosen
  }
}
