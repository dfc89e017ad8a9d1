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
  private let gating: TransformerConfiguration.Mixture.Gating
  /// What each expert's weights were multiplied by in the end; nil for 1.
  private let scales: [Float]?
  /// The weights before that.
  private let plainWeights: [Float]

  /// All tokens to the one expert of a dense layer.
  init(denseTokens count: Int) {
    expertsPerToken = 1
    experts = Array(repeating: 0, count: count)
    weights = Array(repeating: 1, count: count)
    slots = [(0..<Int32(count)).map(\.self)]
    logits = nil
    gating = .softmax
    scales = nil
    plainWeights = weights
  }

  /// The weight of a shared expert.
  enum SharedWeight {
    case always
    /// (tokens, 1): the sigmoids of these.
    case gated(Matrix)

    func weight(token: Int) -> Float {
      switch self {
      case .always: 1
      case .gated(let logits): 1 / (1 + expf(-logits[token, 0]))
      }
    }
  }

  /// Experts by their probabilities in float32, and the k largest. Equal ones: the lower number.
  ///
  /// - Parameters:
  ///   - logits: (tokens, experts)
  ///   - selectionBias: Added to each expert's probability while experts are chosen; nil for none.
  ///   - scales: What each expert's weights are multiplied by in the end; nil for 1.
  ///   - shared: Nil without a shared expert.
  init(
    logits: Matrix, mixture: TransformerConfiguration.Mixture, selectionBias: [Float]? = nil, scales: [Float]? = nil,
    shared: SharedWeight?
  ) {
    let count = mixture.expertsPerToken
    let perToken = count + (shared == nil ? 0 : 1)
    let blocks = Parallelism.map(Parallelism.shares(of: logits.rows, atMost: Self.block)) { tokens in
      Profile.measure(.router) {
        var choices: [Choice] = []
        choices.reserveCapacity(tokens.count * perToken)
        var probabilities = Array(repeating: Float(0), count: logits.columns)
        for token in tokens {
          for expert in probabilities.indices { probabilities[expert] = logits[token, expert] }
          mixture.gating.apply(to: &probabilities)
          Self.choose(mixture, by: probabilities, bias: selectionBias, into: &choices)
          if let shared {
            choices.append(Choice(expert: Int32(logits.columns), weight: shared.weight(token: token)))
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
    plainWeights = weights
    if let scales {
      for (slot, expert) in experts.enumerated() where Int(expert) < scales.count {
        weights[slot] *= scales[Int(expert)]
      }
    }
    (self.experts, self.weights, self.slots) = (experts, weights, slots)
    self.logits = logits
    gating = mixture.gating
    self.scales = scales
  }

  /// For some neighbouring slots, given gradients at their weights: their experts, the weights before each expert's
  /// number multiplied them, and the gradients at those.
  func beforeScales(
    _ slots: Range<Int>, _ gradients: [Float]
  ) -> [(expert: Int, weight: Float, gradient: Float)] {
    slots.map { slot in
      let expert = Int(experts[slot])
      return (expert, plainWeights[slot], gradients[slot] * (scales?[expert] ?? 1))
    }
  }

  /// Each expert's share of what the router gives all of them, for some tokens: (tokens, experts); nil without logits.
  /// For a softmax its probabilities, for sigmoids these divided by their sum.
  package func probabilities(of tokens: Range<Int>) -> Matrix? {
    guard let logits else { return nil }
    let result = logits[rows: tokens].copy()
    let blocks = Parallelism.shares(of: tokens.count, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      for token in blocks[index] {
        var row = result.row(token)
        gating.apply(to: &row)
        if case .sigmoid = gating {
          let sum = row.reduce(0, +)
          row = row.map { $0 / sum }
        }
        result[rows: token..<token + 1].assign(Matrix(rows: 1, columns: row.count, elements: row))
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
  private static func choose(
    _ mixture: TransformerConfiguration.Mixture, by probabilities: [Float], bias: [Float]?,
    into choices: inout [Choice]
  ) {
    var values = bias.map { zip(probabilities, $0).map(+) } ?? probabilities
    if let groups = mixture.groups { excludeGroups(groups, of: &values) }
    let first = choices.count
    for _ in 0..<mixture.expertsPerToken {
      var best = values.firstIndex { $0 != -.infinity } ?? 0
      for index in values.indices where values[index] > values[best] { best = index }
      // Into its place among those chosen before.
      var place = choices.count
      while place > first, choices[place - 1].expert > best { place -= 1 }
      choices.insert(Choice(expert: Int32(best), weight: probabilities[best]), at: place)
      values[best] = -.infinity  // is not chosen again
    }
    let sum = mixture.normalizesWeights ? choices[first...].reduce(0) { $0 + $1.weight } : 1
    for index in choices.indices[first...] {
      choices[index].weight /= sum
      choices[index].weight *= mixture.weightScale
    }
  }

  /// Leaves the experts of the groups whose best have the largest sums. Equal ones: the lower number.
  private static func excludeGroups(_ groups: TransformerConfiguration.Mixture.Groups, of values: inout [Float]) {
    let size = values.count / groups.count
    let sums = (0..<groups.count).map { group in
      values[group * size..<(group + 1) * size].sorted(by: >).prefix(groups.best).reduce(0, +)
    }
    let order = sums.indices.sorted { (-sums[$0], $0) < (-sums[$1], $1) }
    for group in order.dropFirst(groups.chosen) {
      for index in group * size..<(group + 1) * size { values[index] = -.infinity }
    }
  }

  /// The number of the expert that a feed-forward site belongs to, among those of `slots`.
  package func expert(of site: Site) -> Int {
    precondition(site.role.part != .attention, "\(site) belongs to no expert")
    return site.role.part == .sharedExpert ? slots.count - 1 : site.expert ?? 0
  }
}

extension TransformerConfiguration.Mixture.Gating {
  /// Makes a router's logits for one token what the experts' weights are made of, in place.
  func apply(to values: inout [Float]) {
    switch self {
    case .softmax:
      let maximum = values.max() ?? 0
      var sum: Float = 0
      for index in values.indices {
        values[index] = expf(values[index] - maximum)
        sum += values[index]
      }
      for index in values.indices { values[index] /= sum }
    case .sigmoid:
      for index in values.indices { values[index] = 1 / (1 + expf(-values[index])) }
    }
  }
}
