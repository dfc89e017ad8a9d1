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
    let blocks = Parallelism.map(Parallelism.blocks(of: logits.rows, size: Self.block)) { tokens in
      Profile.measure(.router) {
        var choices: [Choice] = []
        choices.reserveCapacity(tokens.count * perToken)
        for token in tokens {
          Self.choose(count, by: logits.row(token), normalizes: normalizes, into: &choices)
          if let shared {
            choices.append(Choice(expert: Int32(logits.columns), weight: 1 / (1 + expf(-shared[token]))))
          }
        }
        return choices
      }
    }
    let choices = blocks.flatMap(\.self)
    expertsPerToken = perToken
    experts = choices.map(\.expert)
    weights = choices.map(\.weight)
    var slots = Array(repeating: [Int32](), count: logits.columns + perToken - count)
    for (slot, expert) in experts.enumerated() { slots[Int(expert)].append(Int32(slot)) }
    self.slots = slots
  }

  /// Tokens that a worker takes at once.
  private static let block = 1024

  private struct Choice {
    let expert: Int32
    let weight: Float
  }

  /// Adds a token's experts, by ascending number.
  private static func choose(_ count: Int, by logits: [Float], normalizes: Bool, into choices: inout [Choice]) {
    let maximum = logits.max() ?? 0
    var probabilities = logits
    var sum: Float = 0
    for index in probabilities.indices {
      probabilities[index] = expf(probabilities[index] - maximum)
      sum += probabilities[index]
    }
    for index in probabilities.indices { probabilities[index] /= sum }
    let chosen = largest(count, of: probabilities).sorted()
    let divisor = normalizes ? chosen.reduce(0) { $0 + probabilities[$1] } : 1
    for expert in chosen { choices.append(Choice(expert: Int32(expert), weight: probabilities[expert] / divisor)) }
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
