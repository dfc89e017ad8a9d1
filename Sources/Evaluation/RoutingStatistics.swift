internal import Checkpoints
internal import Glibc
internal import Inference
internal import Models
internal import Tensors
internal import Wording

/// Where a mixture of experts sends the tokens of one corpus, layer by layer.
///
/// What is stored are counts; shares, means and entropies are derived from them. Tokens are those of all windows, so
/// that windows which overlap count the tokens they share once each.
package struct RoutingStatistics: Sendable, Codable, Equatable {
  package var tokens: Int
  package var layers: [Layer]

  package struct Layer: Sendable, Codable, Equatable {
    package var experts: [Expert]
    /// How many of the tokens' choices were their choices in the layer before too; nil for the first layer, and where
    /// one of both is dense.
    package var repeated: Int?
    /// The singular values of the router's matrix (experts, hidden), the largest first.
    package var gateSingularValues: [Double]

    package init(experts: [Expert], repeated: Int?, gateSingularValues: [Double]) {
      self.experts = experts
      self.repeated = repeated
      self.gateSingularValues = gateSingularValues
    }
  }

  package struct Expert: Sendable, Codable, Equatable {
    package var tokens: Int
    /// The router's weights for it, summed over its tokens.
    package var weight: Double

    package init(tokens: Int, weight: Double) {
      self.tokens = tokens
      self.weight = weight
    }

    /// With what weight the router asks for this expert, when it does; 0 when it never does.
    package var meanWeight: Double { tokens == 0 ? 0 : weight / Double(tokens) }
  }

  package init(tokens: Int, layers: [Layer]) {
    self.tokens = tokens
    self.layers = layers
  }
}

// MARK: - Derived

extension RoutingStatistics {
  /// Whether the numbers are such as a count can give; a file may say anything.
  package var isConsistent: Bool {
    let limit = 1 << 50
    return (0...limit).contains(tokens)
      && layers.allSatisfy { layer in
        !layer.experts.isEmpty && layer.experts.count == layers[0].experts.count
          && (0...limit).contains(layer.repeated ?? 0)
          && layer.experts.allSatisfy { (0...limit / layer.experts.count).contains($0.tokens) && $0.weight.isFinite }
          && layer.gateSingularValues.allSatisfy { $0.isFinite && $0 >= 0 }
      }
  }
}

extension RoutingStatistics.Layer {
  /// Choices of all tokens: tokens times experts per token.
  package var choices: Int { experts.reduce(0) { $0 + $1.tokens } }

  /// Each expert's share of the choices; they sum to 1.
  package var shares: [Double] {
    let all = Double(max(choices, 1))
    return experts.map { Double($0.tokens) / all }
  }

  /// The entropy of the shares over that of equal ones: 1 where all experts work as much, 0 where one does all.
  package var balance: Double {
    guard experts.count > 1 else { return 1 }
    return shares.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 } / log(Double(experts.count))
  }

  /// Experts with less than 1 % of the choices: they are carried along for nothing.
  package var deadExperts: [Int] {
    let shares = shares
    return experts.indices.filter { shares[$0] < 0.01 }
  }

  /// Experts with more than 1.5 times an equal share. With k of n experts per token no share exceeds 1/k, that is n/k
  /// equal shares, so that twice the equal share would never be reached by the usual 2 of 4.
  package var overloadedExperts: [Int] {
    let (shares, limit) = (shares, 1.5 / Double(experts.count))
    return experts.indices.filter { shares[$0] > limit }
  }

  /// The share of choices that repeat one of the layer before. By chance it is the experts per token over the experts.
  package var overlap: Double? { repeated.map { Double($0) / Double(max(choices, 1)) } }

  /// The largest singular value of the router's matrix over the smallest; infinite where two rows say the same. A layer
  /// whose router is ill-conditioned cannot tell its experts apart.
  package var condition: Double {
    guard let first = gateSingularValues.first, let last = gateSingularValues.last else { return 1 }
    // Below this the Gram matrix, from which singular values come, holds nothing but rounding.
    return last > 1e-7 * first ? first / last : .infinity
  }
}

// MARK: - Collecting

extension RoutingStatistics {
  /// Nothing counted yet.
  init(of model: Model) throws {
    guard model.configuration.mixture != nil else {
      throw InputError("\(model.checkpoint.path): a dense model has no router to look at")
    }
    tokens = 0
    layers = try model.layout.layers.enumerated().map { number, layer in
      var values: [Double] = []
      if let router = layer.router {
        values = try SingularValueDecomposition(DoubleMatrix(model.weights(router))).singularValues
      }
      return Layer(
        experts: Array(repeating: Expert(tokens: 0, weight: 0), count: layer.experts.count),
        repeated: number == 0 || layer.router == nil || model.layout.layers[number - 1].router == nil ? nil : 0,
        gateSingularValues: values)
    }
  }

  /// Adds the choices of some of the tokens in one layer, given those of the same tokens in the layer before.
  mutating func record(_ routing: Routing, tokens part: Range<Int>, layer: Int, after previous: Routing?) {
    if layer == 0 { tokens += part.count }
    let perToken = routing.expertsPerToken
    let range = part.lowerBound * perToken..<part.upperBound * perToken
    // A shared expert, which no router chooses, stands after the others.
    let expertCount = layers[layer].experts.count
    for slot in range where routing.experts[slot] < expertCount {
      let expert = Int(routing.experts[slot])
      layers[layer].experts[expert].tokens += 1
      layers[layer].experts[expert].weight += Double(routing.weights[slot])
    }
    guard let previous, layers[layer].repeated != nil else { return }
    var repeated = 0
    for slot in range where routing.experts[slot] < expertCount {
      let expert = routing.experts[slot]
      let start = slot / perToken * perToken
      if previous.experts[start..<start + perToken].contains(expert) { repeated += 1 }
    }
    layers[layer].repeated? += repeated
  }
}
