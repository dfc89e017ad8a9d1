package import Checkpoints
package import Models
package import Tensors

/// One layer's mixture of gated experts: w2(silu(w1 x) ⊙ w3 x) or with another activation, x the normed state.
///
/// A dense layer is the same with one expert and no router; a shared expert is one more that every token goes to, with
/// a weight of its own. Each expert's weights are packed once, for all tokens that go to it, a block of its hidden
/// channels at a time. For trials, what an expert adds for a token, times its weight, stands in the row of the token's
/// slot until the rows are summed, so that a change of one expert needs the rows of that expert alone.
package struct FeedForward: Sendable {
  let model: Model
  private let number: Int
  let layer: TensorLayout.Layer
  let norm: StateNorm
  let branch: ResidualBranch
  /// Where router, experts and shared expert have norms of their own.
  let parts: MixtureNorms?

  /// Tokens that a worker takes at once.
  static let block = 480

  package init(_ model: Model, layer: Int) throws(CheckpointError) {
    self.model = model
    number = layer
    self.layer = model.layout.layers[layer]
    norm = try StateNorm(model, self.layer.feedForwardNorm)
    branch = try ResidualBranch(
      model, norm: self.layer.feedForwardOutputNorm, outputScale: self.layer.outputScale)
    parts = try self.layer.mixtureNorms.map { norms throws(CheckpointError) in try MixtureNorms(model, norms) }
  }

  /// How an expert takes the states.
  func inputNorm(of expert: Int) -> StateNorm { isShared(expert) ? norm : parts?.experts ?? norm }

  func isShared(_ expert: Int) -> Bool { expert >= layer.experts.count }

  /// states += the whole layer; returns where its tokens went.
  ///
  /// Each token's contributions are summed as they come, by ascending number of the expert, as they are from their
  /// slots.
  ///
  /// - Parameter observe: Given the inputs of each expert's matrices.
  func apply(to states: Matrix, observe: InputObserver? = nil) throws(CheckpointError) -> Routing {
    let routing = try route(states)
    let sums = try sums(states, routing, observe: observe)
    let blocks = Parallelism.shares(of: states.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      branch.add(joined(sums, rows: blocks[index]), to: states[rows: blocks[index]])
    }
    return routing
  }

  /// What the experts make of each token, weighted and summed: (tokens, hidden).
  struct Sums {
    let experts: Matrix
    /// What the shared expert makes, where it is normed apart; else it is among the others.
    let shared: Matrix?

    func copy() -> Sums { Sums(experts: experts.copy(), shared: shared?.copy()) }
  }

  func sums(
    _ states: Matrix, _ routing: Routing, observe: InputObserver? = nil
  ) throws(CheckpointError) -> Sums {
    let sums = Sums(
      experts: Matrix(rows: states.rows, columns: states.columns),
      shared: parts == nil ? nil : Matrix(rows: states.rows, columns: states.columns))
    for expert in routing.slots.indices where !routing.slots[expert].isEmpty {
      let target = isShared(expert) ? sums.shared ?? sums.experts : sums.experts
      try run(expert: expert, on: states, routing: routing, observe: observe) { outputs, slots, tokens, weights in
        addRows(outputs, tokens, weights: weights, to: target)
      }
    }
    return sums
  }

  /// What the layer adds to some rows of the states, before its norm; the sums are used up.
  func joined(_ sums: Sums, rows: Range<Int>) -> Matrix {
    let experts = sums.experts[rows: rows]
    if let parts, let shared = sums.shared { parts.join(experts, shared[rows: rows]) }
    return experts
  }

  package func route(_ states: Matrix) throws(CheckpointError) -> Routing {
    guard let router = layer.router, let mixture = model.configuration.mixture else {
      return Routing(denseTokens: states.rows)
    }
    let weights = try model.packed(router, precision: .float32)
    let sharedGate: PackedMatrix?
    if let gate = layer.shared?.gate {
      sharedGate = try model.packed(gate, precision: .float32)
    } else {
      sharedGate = nil
    }
    let bias = try model.bias(layer.routerBias)
    let logits = Matrix(unfilled: states.rows, columns: mixture.expertCount)
    let sharedLogits = Matrix(unfilled: sharedGate == nil ? 0 : states.rows, columns: 1)
    let norm = parts?.router ?? norm
    let blocks = Parallelism.shares(of: states.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      Profile.measure(.router) {
        let part = states[rows: blocks[index]]
        let normed = Matrix(unfilled: part.rows, columns: part.columns)
        norm.apply(part, into: normed)
        multiply(normed, transposed: weights, into: logits[rows: blocks[index]])
        if let bias { addRow(bias, to: logits[rows: blocks[index]]) }
        if let sharedGate {
          multiply(normed, transposed: sharedGate, into: sharedLogits[rows: blocks[index]])
        }
      }
    }
    return Routing(
      logits: logits, mixture: mixture, selectionBias: try model.bias(layer.selectionBias)?.row(0),
      scales: try model.bias(layer.expertScales)?.row(0),
      shared: layer.shared.map { $0.gate == nil ? .always : .gated(sharedLogits) })
  }

  /// Fills the rows of the slots of one expert, as `routing` counts them, in `contributions`
  /// (tokens · experts per token, hidden).
  package func run(
    expert: Int, on states: Matrix, routing: Routing, into contributions: Matrix
  ) throws(CheckpointError) {
    try run(expert: expert, on: states, routing: routing) { outputs, slots, tokens, weights in
      scatterRows(outputs, slots, weights: weights, into: contributions)
    }
  }

  /// Runs one expert on its tokens and hands over what it makes of them, not yet weighted, block by block: the outputs,
  /// the slots, the tokens and the weights.
  private func run(
    expert: Int, on states: Matrix, routing: Routing, observe: InputObserver? = nil,
    _ receive: @Sendable (Matrix, ArraySlice<Int32>, ArraySlice<Int32>, [Float]) -> Void
  ) throws(CheckpointError) {
    let slots = routing.slots[expert]
    guard !slots.isEmpty else { return }
    let layout = self.layout(of: expert)
    readAhead(after: expert, routing)
    let activation = model.configuration.activation
    let perToken = Int32(routing.expertsPerToken)
    let norm = inputNorm(of: expert)
    let weights = try Weights(of: layout, in: model)
    let biases = try ExpertBiases(of: layout, in: model)
    let inputs = Matrix(unfilled: slots.count, columns: states.columns)
    let outputs = Matrix(unfilled: slots.count, columns: states.columns)
    let allHidden = observe.map { _ in Matrix(unfilled: slots.count, columns: layout.gate.rows) }
    let blocks = Parallelism.shares(of: slots.count, atMost: Self.block)
    for channels in weights.channelBlocks {
      let products = try weights.products(channels: channels)
      Parallelism.forEach(blocks.count) { index in
        let block = slots[blocks[index]]
        let (input, output) = (inputs[rows: blocks[index]], outputs[rows: blocks[index]])
        if channels.lowerBound == 0 {
          gatherRows(states, block.map { $0 / perToken }[...], into: input)
          norm.apply(input, into: input)
        }
        // The caches dislike rows a power of two apart.
        let hidden = Matrix(unfilled: block.count, columns: 2 * channels.count + 16)
        Profile.measure(.experts) {
          var start = 0
          for matrix in products.gateAndUp {
            multiply(input, transposed: matrix, into: hidden[columns: start..<start + matrix.rows])
            start += matrix.rows
          }
          let gated = hidden[columns: 0..<channels.count]
          let up = hidden[columns: channels.count..<2 * channels.count]
          if let biases {
            addRow(biases.gate[columns: channels], to: gated)
            addRow(biases.up[columns: channels], to: up)
          }
          activation.apply(gate: gated, up: up)
          allHidden?[rows: blocks[index]][columns: channels].assign(gated)
          multiply(gated, transposed: products.down, adding: channels.lowerBound > 0, into: output)
        }
        if channels.upperBound == layout.gate.rows {
          if let biases { addRow(biases.down, to: output) }
          receive(output, block, block.map { $0 / perToken }[...], block.map { routing.weights[Int($0)] })
        }
      }
    }
    weights.release()
    guard let observe, let allHidden else { return }
    let isShared = isShared(expert)
    let number = isShared || layer.router == nil ? nil : expert
    observe(isShared ? [.sharedW1, .sharedW3] : [.w1, .w3], number, inputs)
    observe(isShared ? [.sharedW2] : [.w2], number, allHidden)
  }

  /// What is added to what an expert's matrices make.
  struct ExpertBiases {
    /// (1, hidden channels)
    let gate: Matrix
    let up: Matrix
    /// (1, hidden)
    let down: Matrix

    /// Nil for an expert without.
    init?(of layout: TensorLayout.Expert, in model: Model) throws(CheckpointError) {
      guard layout.biases.count == 3 else { return nil }
      gate = try model.weights(layout.biases[0])
      up = try model.weights(layout.biases[1])
      down = try model.weights(layout.biases[2])
    }
  }

  /// An expert's matrices in use.
  private struct Weights {
    let model: Model
    let gate: Model.Weight
    let up: Model.Weight
    let down: Model.Weight

    init(of layout: TensorLayout.Expert, in model: Model) throws(CheckpointError) {
      self.model = model
      gate = try model.weight(layout.gate)
      up = try model.weight(layout.up)
      down = try model.weight(layout.down)
    }

    /// All hidden channels, in the blocks that are packed at once.
    var channelBlocks: [Range<Int>] {
      let count = gate.reference.rows
      return model.execution.usesStoredWeights
        ? [0..<count]
        : MemoryPlan.blocks(
          ofChannels: count, hidden: gate.reference.columns, limit: model.execution.channelLimit)
    }

    /// The weights of some hidden channels: rows of gate and up, as one matrix where they are packed, and columns of
    /// down.
    func products(
      channels: Range<Int>
    ) throws(CheckpointError) -> (gateAndUp: [ProductWeights], down: ProductWeights) {
      guard !model.execution.usesStoredWeights else {
        return ([.stored(gate.stored), .stored(up.stored)], .stored(down.stored))
      }
      let isWhole = channels.count == gate.reference.rows
      return (
        [.packed(try model.packed([gate, up], rows: channels))],
        .packed(try model.packed([down], columns: isWhole ? nil : channels))
      )
    }

    func release() { for weight in [gate, up, down] { model.release(weight) } }
  }

  func layout(of expert: Int) -> TensorLayout.Expert {
    if expert < layer.experts.count { return layer.experts[expert] }
    guard let shared = layer.shared else { preconditionFailure("the layer has no expert \(expert)") }
    return shared.expert
  }

  /// Has the next expert that tokens go to read while this one works, after the last one the next layer.
  private func readAhead(after expert: Int, _ routing: Routing) {
    if let next = routing.slots.indices.first(where: { $0 > expert && !routing.slots[$0].isEmpty }) {
      model.readAhead(layout(of: next).all)
    } else {
      model.readAhead(layer: number + 1)
    }
  }

  /// states += what the layer adds, given what each of a token's experts contributes.
  package func add(_ contributions: Matrix, perToken: Int, to states: Matrix) {
    let blocks = Parallelism.shares(of: states.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      let rows = contributions[rows: block.lowerBound * perToken..<block.upperBound * perToken]
      let sums = Matrix(rows: block.count, columns: states.columns)
      if let parts {
        // The last slot of each token is the shared expert's.
        let shared = Matrix(rows: block.count, columns: states.columns)
        for slot in 0..<perToken {
          let own = Matrix(unfilled: block.count, columns: states.columns)
          gatherRows(rows, (0..<Int32(block.count)).map { $0 * Int32(perToken) + Int32(slot) }[...], into: own)
          addGroupedRows(own, group: 1, into: slot < perToken - 1 ? sums : shared)
        }
        parts.join(sums, shared)
      } else {
        addGroupedRows(rows, group: perToken, into: sums)
      }
      branch.add(sums, to: states[rows: block])
    }
  }
}
