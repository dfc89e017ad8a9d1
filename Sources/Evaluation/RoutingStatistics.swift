internal import Checkpoints
internal import Glibc
internal import Inference
internal import Models
internal import Processes
internal import Tensors
internal import Wording

/// Where a mixture of experts sends the tokens of one corpus, layer by layer.
///
/// What is stored are counts; shares, means and entropies are derived from them. Tokens are those of all windows, so
/// that windows which overlap count the tokens they share once each. Weights and probabilities are counted in units of 2⁻²⁴, of
/// which float64 adds up 2⁵³ without rounding: sums are the same in whatever order tokens come, and from however many processes.
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
    /// The router's probabilities of it, summed over all tokens, chosen or not; nil in a dense layer and in records of
    /// versions that did not count it.
    package var probability: Double?

    package init(tokens: Int, weight: Double, probability: Double? = nil) {
      self.tokens = tokens
      self.weight = weight
      self.probability = probability
    }

    /// With what weight the router asks for this expert, when it does; 0 when it never does.
    package var meanWeight: Double { tokens == 0 ? 0 : weight / Double(tokens) }
  }

  package init(tokens: Int, layers: [Layer]) {
    self.tokens = tokens
    self.layers = layers
  }
}

extension RoutingStatistics {
  /// Those of several texts together; nil for none, or where they are not of one model.
  package init?(summing texts: [RoutingStatistics]) {
    guard var sum = texts.first, texts.allSatisfy({ $0.isConsistent && $0.layers.count == sum.layers.count }) else {
      return nil
    }
    for text in texts.dropFirst() {
      guard zip(text.layers, sum.layers).allSatisfy({ $0.experts.count == $1.experts.count }) else { return nil }
      sum.add(text)
    }
    self = sum
  }

  /// Adds what was counted of other tokens in the same model.
  mutating func add(_ other: RoutingStatistics) {
    tokens += other.tokens
    for (index, layer) in other.layers.enumerated() {
      for (expert, use) in layer.experts.enumerated() {
        layers[index].experts[expert].tokens += use.tokens
        layers[index].experts[expert].weight += use.weight
        let probability = layers[index].experts[expert].probability
        layers[index].experts[expert].probability = probability.flatMap { own in use.probability.map { own + $0 } }
      }
      layers[index].repeated = layers[index].repeated.flatMap { own in layer.repeated.map { own + $0 } }
    }
  }
}

// MARK: - Derived

extension RoutingStatistics {
  /// Whether the numbers are such as a count can give; a file may say anything.
  package var isConsistent: Bool {
    let limit = 1 << 50
    let most = layers.map(\.experts.count).max() ?? 1
    return (0...limit).contains(tokens)
      && layers.allSatisfy { layer in
        // A dense layer has one.
        [1, most].contains(layer.experts.count)
          && (0...limit).contains(layer.repeated ?? 0)
          && layer.experts.allSatisfy {
            (0...limit / layer.experts.count).contains($0.tokens) && $0.weight.isFinite
              && ($0.probability ?? 0).isFinite
          }
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

  /// Below this share of an equal share an expert is dead: it is carried along for nothing.
  package static let deadShare = 0.05
  /// Above so many equal shares an expert is overloaded. With k of n experts per token no share exceeds 1/k, that is n/k
  /// equal shares, so that twice the equal share would never be reached by the usual 2 of 4.
  package static let overloadedShare = 1.5

  /// Whether a share of the choices among so many experts is that of a dead, or of an overloaded one.
  package static func isDead(_ share: Double, of count: Int) -> Bool { share < deadShare / Double(count) }
  package static func isOverloaded(_ share: Double, of count: Int) -> Bool { share > overloadedShare / Double(count) }

  package var deadExperts: [Int] {
    let shares = shares
    return experts.indices.filter { Self.isDead(shares[$0], of: experts.count) }
  }

  package var overloadedExperts: [Int] {
    let shares = shares
    return experts.indices.filter { Self.isOverloaded(shares[$0], of: experts.count) }
  }

  /// The load-balancing loss of Switch Transformers (Fedus, Zoph and Shazeer 2021, arXiv 2101.03961, equation 4): experts
  /// × Σ share × mean probability, before any coefficient. 1 where all experts get as much; as many as there are experts
  /// where one gets all. Nil where the probabilities are not known.
  ///
  /// - Parameter tokens: Whose choices were counted.
  package func balanceLoss(tokens: Int) -> Double? {
    let probabilities = experts.compactMap(\.probability)
    guard probabilities.count == experts.count, tokens > 0 else { return nil }
    let products = zip(shares, probabilities).reduce(0) { $0 + $1.0 * $1.1 / Double(tokens) }
    return Double(experts.count) * products
  }

  /// Capacities, as factors of an equal share, that trained mixtures use.
  package static let capacityFactors = [1, 1.25, 2]

  /// The share of the choices that are beyond the capacity of their experts, where each takes no more than `factor` equal
  /// shares of the whole text: what a mixture with such a capacity would drop.
  package func overflow(capacityFactor factor: Double) -> Double {
    let capacity = factor / Double(experts.count)
    return shares.reduce(0) { $0 + max(0, $1 - capacity) }
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
        experts: Array(
          repeating: Expert(tokens: 0, weight: 0, probability: layer.router == nil ? nil : 0),
          count: layer.experts.count),
        repeated: number == 0 || layer.router == nil || model.layout.layers[number - 1].router == nil ? nil : 0,
        gateSingularValues: values)
    }
  }

  /// The nearest multiple of 2⁻²⁴.
  private static func counted(_ number: Float) -> Double { (Double(number) * 0x1p24).rounded() * 0x1p-24 }

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
      layers[layer].experts[expert].weight += Self.counted(routing.weights[slot])
    }
    if let probabilities = routing.probabilities(of: part) {
      for token in 0..<probabilities.rows {
        for expert in 0..<expertCount {
          layers[layer].experts[expert].probability? += Self.counted(probabilities[token, expert])
        }
      }
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

extension [RoutingStatistics] {
  /// Those of all processes' tokens, by corpus.
  func summed(over processes: ProcessGroup) throws -> [RoutingStatistics] {
    let all = try processes.gather(codable: self)
    return indices.map { corpus in
      var sum = all[0][corpus]
      for other in all.dropFirst() { sum.add(other[corpus]) }
      return sum
    }
  }
}
