internal import Glibc
package import Models
package import Tensors

/// Which experts each token goes to, and with which weight.
///
/// A token has as many slots as experts work on it: slot `token · expertsPerToken + j` is its j-th, by ascending number
/// of the expert. A dense layer has one expert, one slot a token, and weight 1. A shared expert works on every token
/// and stands after the others: its number is the count of those, its slot a token's last.
package struct Routing: Sendable {
  /// How many experts work on a token, a shared one included.
  package let expertsPerToken: Int
  /// The expert of each slot.
  package let experts: [Int32]
  /// What each slot's contribution is multiplied by.
  package let weights: [Float]
  /// The slots of each expert, ascending.
  package let slots: [[Int32]]
  /// What the router made of each token, (tokens, experts), before the softmax; nil for a dense layer, and where it was
  /// given back.
  package var logits: Matrix?

  /// All tokens to the one expert of a dense layer.
  init(denseTokens count: Int) {
    expertsPerToken = 1
    experts = Array(repeating: 0, count: count)
    weights = Array(repeating: 1, count: count)
    slots = [(0..<Int32(count)).map(\.self)]
    logits = nil
  }

  /// Softmax over all experts in float32, and the k largest. Equal ones: the lower number.
  ///
  /// - Parameters:
  ///   - logits: (tokens, experts)
  ///   - normalizes: Whether the k weights are divided by their sum.
  ///   - shared: (tokens, 1), the logit of the shared expert, whose sigmoid is its weight; nil without one.
  init(logits: Matrix, expertsPerToken count: Int, normalizes: Bool, shared: Matrix?) {
    let perToken = count + (shared == nil ? 0 : 1)
    let blocks = Parallelism.map(Parallelism.shares(of: logits.rows, atMost: Self.block)) { tokens in
      Profile.measure(.router) {
        var choices: [Choice] = []
        choices.reserveCapacity(tokens.count * perToken)
        var probabilities = Array(repeating: Float(0), count: logits.columns)
        for token in tokens {
          for expert in probabilities.indices { probabilities[expert] = logits[token, expert] }
          Self.choose(count, by: &probabilities, normalizes: normalizes, into: &choices)
          if let shared {
            choices.append(Choice(expert: Int32(logits.columns), weight: 1 / (1 + expf(-shared[token, 0]))))
          }
        }
        return choices
      }
    }
    expertsPerToken = perToken
    let slotCount = logits.rows * perToken
    var experts: [Int32] = []
    var weights: [Float] = []
    var slots = Array(repeating: [Int32](), count: logits.columns + perToken - count)
    experts.reserveCapacity(slotCount)
    weights.reserveCapacity(slotCount)
    for index in slots.indices { slots[index].reserveCapacity(slotCount / slots.count * 3 / 2) }
    for choice in blocks.joined() {
      slots[Int(choice.expert)].append(Int32(experts.count))
      experts.append(choice.expert)
      weights.append(choice.weight)
    }
    (self.experts, self.weights, self.slots) = (experts, weights, slots)
    self.logits = logits
  }

  /// The softmax over all experts of some tokens, (tokens, experts), as weights are made of it; nil without logits.
  package func probabilities(of tokens: Range<Int>) -> Matrix? {
    guard let logits else { return nil }
    let result = logits[rows: tokens].copy()
    let blocks = Parallelism.shares(of: tokens.count, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      for token in blocks[index] {
        let row = result.row(token)
        let maximum = row.max() ?? 0
        let exponentials = row.map { expf($0 - maximum) }
        let sum = exponentials.reduce(0, +)
        result[rows: token..<token + 1].assign(
          Matrix(rows: 1, columns: row.count, elements: exponentials.map { $0 / sum }))
      }
    }
    return result
  }

  /// Tokens that a worker takes at once.
  private static let block = 1024

  private struct Choice {
    let expert: Int32
    var weight: Float
  }

  /// Adds a token's experts, by ascending number.
  ///
  /// - Parameter values: The logits, which it makes probabilities and then uses up.
  private static func choose(
    _ count: Int, by values: inout [Float], normalizes: Bool, into choices: inout [Choice]
  ) {
    let maximum = values.max() ?? 0
    var sum: Float = 0
    for index in values.indices {
      values[index] = expf(values[index] - maximum)
      sum += values[index]
    }
    for index in values.indices { values[index] /= sum }
    let first = choices.count
    for _ in 0..<count {
      var best = values.firstIndex { $0 != -1 } ?? 0
      for index in values.indices where values[index] > values[best] { best = index }
      // Into its place among those chosen before.
      var place = choices.count
      while place > first, choices[place - 1].expert > best { place -= 1 }
      choices.insert(Choice(expert: Int32(best), weight: values[best]), at: place)
      values[best] = -1  // is not chosen again
    }
    guard normalizes else { return }
    let chosen = choices[first...].reduce(0) { $0 + $1.weight }
    for index in choices.indices[first...] { choices[index].weight /= chosen }
  }

  /// The number of the expert that a feed-forward site belongs to, among those of `slots`.
  package func expert(of site: Site) -> Int {
    precondition(site.role.part != .attention, "\(site) belongs to no expert")
    return site.role.part == .sharedExpert ? slots.count - 1 : site.expert ?? 0
  }
}
