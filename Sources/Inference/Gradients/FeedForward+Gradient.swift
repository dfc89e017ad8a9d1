internal import Checkpoints
internal import Models
internal import Tensors

extension FeedForward {
  /// Propagates a loss's gradient from the layer's output to the states that enter it, those after attention; in place.
  ///
  /// With x the normed state, a = w1 x, b = w3 x, h = silu(a) ⊙ b and an expert's weight ω, the layer adds Σ ω w2 h.
  /// For the gradient g of its output: ω gᵀw2 at h, from there (through the activation) at a and b, and back through w1
  /// and w3 to x; and g · w2 h at ω, from there through the router to x.
  ///
  /// - Parameters:
  ///   - checkpoint: Called between experts and blocks of their channels; may throw to end the work.
  ///   - observe: Given each expert's sites: role, expert, inputs, gradients, tokens.
  func propagate(
    _ gradient: Matrix, through states: Matrix, _ routing: Routing, checkpoint: () throws -> Void,
    _ observe: (Role, Int?, Matrix, Matrix, [Int32]) throws -> Void
  ) throws {
    let sums = branch.isNormed || parts != nil ? try self.sums(states, routing) : nil
    let all = 0..<states.rows
    // Norming uses sums up.
    let added = branch.isNormed ? sums.map { joined($0.copy(), rows: all) } : nil
    let addedGradient = branch.propagate(gradient, through: added)
    var outputGradients = (experts: addedGradient, shared: addedGradient)
    if let parts, let sums, let sharedSum = sums.shared {
      outputGradients = parts.propagate(addedGradient, through: sums.experts, sharedSum)
    }
    let shared = Inputs(states, norm)
    let experts = parts.map { Inputs(states, $0.experts) } ?? shared
    let router = parts.map { Inputs(states, $0.router) } ?? shared
    var weightGradients = Array(repeating: Float(0), count: routing.experts.count)
    for expert in routing.slots.indices where !routing.slots[expert].isEmpty {
      let slots = routing.slots[expert]
      let isShared = isShared(expert)
      let inputs = isShared ? shared : experts
      let run = try ExpertGradient(
        layout(of: expert), of: model, inputs.normed, isShared ? outputGradients.shared : outputGradients.experts,
        tokens: slots.map { $0 / Int32(routing.expertsPerToken) },
        weights: slots.map { routing.weights[Int($0)] }, checkpoint: checkpoint)
      addRows(
        run.inputGradients, run.tokens[...], weights: Array(repeating: 1, count: slots.count), to: inputs.gradient)
      for (slot, value) in zip(slots, run.weightGradients) { weightGradients[Int(slot)] = value }
      let number = isShared || layer.router == nil ? nil : expert
      try observe(isShared ? .sharedW1 : .w1, number, run.inputs, run.gateGradients, run.tokens)
      try observe(isShared ? .sharedW3 : .w3, number, run.inputs, run.upGradients, run.tokens)
      try observe(isShared ? .sharedW2 : .w2, number, run.hidden, run.outputGradients, run.tokens)
    }
    try propagateRouter(weightGradients, router.normed, routing, into: router.gradient)
    for inputs in parts == nil ? [experts] : [experts, shared, router] {
      inputs.propagate(through: states, into: gradient)
    }
  }

  /// The states as a part of the layer takes them, and the gradient there.
  private struct Inputs {
    private let norm: StateNorm
    let normed: Matrix
    let gradient: Matrix

    init(_ states: Matrix, _ norm: StateNorm) {
      self.norm = norm
      normed = Matrix(unfilled: states.rows, columns: states.columns)
      gradient = Matrix(rows: states.rows, columns: states.columns)
      let (normed, blocks) = (normed, Parallelism.shares(of: states.rows, atMost: FeedForward.block))
      Parallelism.forEach(blocks.count) { index in
        norm.apply(states[rows: blocks[index]], into: normed[rows: blocks[index]])
      }
    }

    /// Adds what the gradient here is at the states.
    func propagate(through states: Matrix, into total: Matrix) {
      let blocks = Parallelism.shares(of: states.rows, atMost: FeedForward.block)
      Parallelism.forEach(blocks.count) { index in
        let block = blocks[index]
        norm.propagate(gradient[rows: block], through: states[rows: block], addingTo: total[rows: block])
      }
    }
  }

  /// From the experts' weights through the router to its input.
  private func propagateRouter(
    _ weightGradients: [Float], _ normed: Matrix, _ routing: Routing, into normedGradient: Matrix
  ) throws(CheckpointError) {
    guard let router = layer.router, let mixture = model.configuration.mixture else { return }
    let weights = try model.weights(router)
    let shared = try layer.shared?.gate.map { gate throws(CheckpointError) in try model.weights(gate) }
    let (forward, backward) = (PackedMatrix(weights), PackedMatrix(transposing: weights))
    let sharedBackward = shared.map { PackedMatrix(transposing: $0) }
    let bias = try model.bias(layer.routerBias)
    let blocks = Parallelism.shares(of: normed.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      // The logits, which become their gradients.
      let logits = Matrix(unfilled: block.count, columns: mixture.expertCount)
      multiply(normed[rows: block], transposed: forward, into: logits)
      if let bias { addRow(bias, to: logits) }
      let sharedLogits = Matrix(rows: block.count, columns: 1)
      routing.propagate(
        weightGradients, tokens: block, mixture: mixture, into: logits,
        shared: sharedBackward == nil ? nil : sharedLogits)
      multiply(logits, transposed: backward, adding: true, into: normedGradient[rows: block])
      if let sharedBackward {
        multiply(sharedLogits, transposed: sharedBackward, adding: true, into: normedGradient[rows: block])
      }
    }
  }
}
