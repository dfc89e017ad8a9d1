internal import Glibc
internal import Tensors

/// Which experts each token goes to, and with which weight.
///
/// A token has as many slots as experts work on it: slot `token · expertsPerToken + j` is its j-th, by ascending number
/// of the expert. A dense model has one expert, one slot a token, and weight 1.
package struct Routing: Sendable {
  package let expertsPerToken: Int
  /// By slot.
  package let experts: [Int32]
  package let weights: [Float]
  /// The slots of each expert, ascending.
  package let slots: [[Int32]]

  /// All tokens to the one expert of a dense model.
  init(denseTokens count: Int) {
    expertsPerToken = 1
    experts = Array(repeating: 0, count: count)
    weights = Array(repeating: 1, count: count)
    slots = [(0..<Int32(count)).map(\.self)]
  }

  /// Mixtral's router: softmax over all experts in float32, the k largest, renormalised. Equal ones: the lower number.
  ///
  /// - Parameter logits: (tokens, experts)
  init(logits: Matrix, expertsPerToken count: Int) {
    var experts: [Int32] = []
    var weights: [Float] = []
    experts.reserveCapacity(logits.rows * count)
    weights.reserveCapacity(logits.rows * count)
    var slots = Array(repeating: [Int32](), count: logits.columns)
    for token in 0..<logits.rows {
      let row = logits.row(token)
      let maximum = row.max() ?? 0
      let exponentials = row.map { expf($0 - maximum) }
      let sum = exponentials.reduce(0, +)
      let probabilities = exponentials.map { $0 / sum }
      let chosen = Self.largest(count, of: probabilities).sorted()
      let chosenSum = chosen.reduce(0) { $0 + probabilities[$1] }
      for expert in chosen {
        slots[expert].append(Int32(experts.count))
        experts.append(Int32(expert))
        weights.append(probabilities[expert] / chosenSum)
      }
    }
    expertsPerToken = count
    self.experts = experts
    self.weights = weights
    self.slots = slots
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
