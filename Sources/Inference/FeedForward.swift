package import Checkpoints
package import Tensors

/// One layer's mixture of SwiGLU experts: w2(silu(w1 x) ⊙ w3 x), x the normed state.
///
/// A dense layer is the same with one expert and no router; a shared expert is one more that every token goes to, with a
/// weight of its own. Each expert's weights are expanded once, for all tokens that
/// go to it, one expert at a time. What an expert adds for a token, times its weight, stands in the row of the token's
/// slot until the rows are summed, so that a change of one expert needs the rows of that expert alone.
package struct FeedForward: Sendable {
  private let model: Model
  private let layer: TensorLayout.Layer
  private let norm: Matrix

  /// Tokens that a worker takes at once.
  private static let block = 512

  package init(_ model: Model, layer: Int) throws(CheckpointError) {
    self.model = model
    self.layer = model.layout.layers[layer]
    norm = try model.weights(self.layer.feedForwardNorm)
  }

  /// states += the whole layer; returns where its tokens went.
  func apply(to states: Matrix) throws(CheckpointError) -> Routing {
    let routing = try route(states)
    let contributions = Matrix(rows: states.rows * routing.expertsPerToken, columns: states.columns)
    for expert in routing.slots.indices {
      try run(expert: expert, on: states, routing: routing, into: contributions)
    }
    Self.add(contributions, routing: routing, to: states)
    return routing
  }

  package func route(_ states: Matrix) throws(CheckpointError) -> Routing {
    guard let router = layer.router, let mixture = model.configuration.mixture else {
      return Routing(denseTokens: states.rows)
    }
    let weights = try model.packed(router, precision: .float32)
    let sharedGate: Matrix?
    if let shared = layer.shared { sharedGate = try model.weights(shared.gate) } else { sharedGate = nil }
    let logits = Matrix(rows: states.rows, columns: mixture.expertCount)
    let sharedLogits = Matrix(rows: 1, columns: sharedGate == nil ? 0 : states.rows)
    let blocks = Parallelism.blocks(of: states.rows, size: Self.block)
    Parallelism.forEach(blocks.count) { index in
      Profile.measure(.router) {
        let part = states[rows: blocks[index]]
        let normed = Matrix(rows: part.rows, columns: part.columns)
        normalize(part, weight: norm, epsilon: model.configuration.normEpsilon, into: normed)
        multiply(normed, transposed: weights, into: logits[rows: blocks[index]])
        if let sharedGate {
          multiply(sharedGate, transposed: normed, into: sharedLogits[columns: blocks[index]])
        }
      }
    }
    return Profile.measure(.router) {
      Routing(
        logits: logits, expertsPerToken: mixture.expertsPerToken, normalizes: mixture.normalizesWeights,
        shared: sharedGate == nil ? nil : sharedLogits.row(0))
    }
  }

  /// Fills the rows of the slots of one expert, as `routing` counts them, in `contributions` (tokens · experts per token, hidden).
  package func run(
    expert: Int, on states: Matrix, routing: Routing, into contributions: Matrix
  ) throws(CheckpointError) {
    let slots = routing.slots[expert]
    guard !slots.isEmpty else { return }
    guard let layout = expert < layer.experts.count ? layer.experts[expert] : layer.shared?.expert else {
      preconditionFailure("the layer has no expert \(expert)")
    }
    let gate = try model.weightsForProducts(layout.gate)
    let up = try model.weightsForProducts(layout.up)
    let down = try model.weightsForProducts(layout.down)
    let epsilon = model.configuration.normEpsilon
    let blocks = Parallelism.blocks(of: slots.count, size: Self.block)
    Parallelism.forEach(blocks.count) { index in
      let block = slots[blocks[index]]
      let perToken = Int32(routing.expertsPerToken)
      let gathered = Matrix(rows: block.count, columns: states.columns)
      gatherRows(states, block.map { $0 / perToken }[...], into: gathered)
      normalize(gathered, weight: norm, epsilon: epsilon, into: gathered)
      let hidden = Matrix(rows: block.count, columns: gate.rows)
      let gated = Matrix(rows: block.count, columns: gate.rows)
      Profile.measure(.experts) {
        multiply(gathered, transposed: gate, into: gated)
        multiply(gathered, transposed: up, into: hidden)
        swiglu(gate: gated, up: hidden)
        multiply(gated, transposed: down, into: gathered)
      }
      scatterRows(gathered, block, weights: block.map { routing.weights[Int($0)] }, into: contributions)
    }
  }

  /// states += the sum of each token's contributions.
  package static func add(_ contributions: Matrix, routing: Routing, to states: Matrix) {
    let blocks = Parallelism.blocks(of: states.rows, size: block)
    let perToken = routing.expertsPerToken
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      addGroupedRows(
        contributions[rows: block.lowerBound * perToken..<block.upperBound * perToken], group: perToken,
        into: states[rows: block])
    }
  }
}
