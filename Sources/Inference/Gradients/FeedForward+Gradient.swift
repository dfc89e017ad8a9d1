internal import Checkpoints
internal import Models
internal import Tensors

extension FeedForward {
  /// Propagates a loss's gradient from the layer's output to the states that enter it, those after attention; in place.
  ///
  /// With x the normed state, a = w1 x, b = w3 x, h = silu(a) ⊙ b and an expert's weight ω, the layer adds Σ ω w2 h.
  /// For the gradient g of its output: ω gᵀw2 at h, from there (swiglu) at a and b, and through w1 and w3 to x; and g ·
  /// w2 h at ω, from there through the router's softmax to x.
  ///
  /// - Parameter observe: Given each expert's sites: role, expert, inputs, gradients, tokens.
  func propagate(
    _ gradient: Matrix, through states: Matrix, _ routing: Routing,
    _ observe: (Role, Int?, Matrix, Matrix, [Int32]) throws -> Void
  ) throws {
    let epsilon = model.configuration.normEpsilon
    let normed = Matrix(unfilled: states.rows, columns: states.columns)
    let normedGradient = Matrix(rows: states.rows, columns: states.columns)
    let blocks = Parallelism.shares(of: states.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      normalize(states[rows: blocks[index]], weight: norm, epsilon: epsilon, into: normed[rows: blocks[index]])
    }
    var weightGradients = Array(repeating: Float(0), count: routing.experts.count)
    for expert in routing.slots.indices where !routing.slots[expert].isEmpty {
      let slots = routing.slots[expert]
      let run = try ExpertGradient(
        try weights(of: expert), normed, gradient, tokens: slots.map { $0 / Int32(routing.expertsPerToken) },
        weights: slots.map { routing.weights[Int($0)] })
      addRows(
        run.inputGradients, run.tokens[...], weights: Array(repeating: 1, count: slots.count), to: normedGradient)
      for (slot, value) in zip(slots, run.weightGradients) { weightGradients[Int(slot)] = value }
      let isShared = expert == layer.experts.count
      let number = isShared || layer.router == nil ? nil : expert
      try observe(isShared ? .sharedW1 : .w1, number, run.inputs, run.gateGradients, run.tokens)
      try observe(isShared ? .sharedW3 : .w3, number, run.inputs, run.upGradients, run.tokens)
      try observe(isShared ? .sharedW2 : .w2, number, run.hidden, run.outputGradients, run.tokens)
    }
    try propagateRouter(weightGradients, normed, routing, into: normedGradient)
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      normalizeGradient(
        states[rows: block], weight: norm, epsilon: epsilon, gradient: normedGradient[rows: block],
        addingTo: gradient[rows: block])
    }
  }

  private func weights(of expert: Int) throws(CheckpointError) -> (gate: Matrix, up: Matrix, down: Matrix) {
    let layout = layout(of: expert)
    return (try model.weights(layout.gate), try model.weights(layout.up), try model.weights(layout.down))
  }

  /// From the experts' weights through the router to its input.
  private func propagateRouter(
    _ weightGradients: [Float], _ normed: Matrix, _ routing: Routing, into normedGradient: Matrix
  ) throws(CheckpointError) {
    guard let router = layer.router, let mixture = model.configuration.mixture else { return }
    let weights = try model.weights(router)
    let shared = try layer.shared.map { shared throws(CheckpointError) in try model.weights(shared.gate) }
    let (forward, backward) = (PackedMatrix(weights), PackedMatrix(transposing: weights))
    let sharedBackward = shared.map { PackedMatrix(transposing: $0) }
    let blocks = Parallelism.shares(of: normed.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      // The logits, which become their gradients.
      let logits = Matrix(unfilled: block.count, columns: mixture.expertCount)
      multiply(normed[rows: block], transposed: forward, into: logits)
      let sharedLogits = Matrix(rows: block.count, columns: 1)
      routing.propagate(
        weightGradients, tokens: block, normalizes: mixture.normalizesWeights, into: logits,
        shared: sharedBackward == nil ? nil : sharedLogits)
      multiply(logits, transposed: backward, adding: true, into: normedGradient[rows: block])
      if let sharedBackward {
        multiply(sharedLogits, transposed: sharedBackward, adding: true, into: normedGradient[rows: block])
      }
    }
  }
}

/// One expert's part in the backward pass, for the tokens that go to it; all matrices have a row for each.
private struct ExpertGradient {
  let tokens: [Int32]
  /// x: (tokens, hidden)
  let inputs: Matrix
  /// h: (tokens, channels)
  let hidden: Matrix
  /// The gradients at w2 h: ω g.
  let outputGradients: Matrix
  let gateGradients: Matrix
  let upGradients: Matrix
  let inputGradients: Matrix
  /// The gradients at ω.
  let weightGradients: [Float]

  init(
    _ matrices: (gate: Matrix, up: Matrix, down: Matrix), _ normed: Matrix, _ gradient: Matrix, tokens: [Int32],
    weights: [Float]
  ) throws {
    let (count, channels, width) = (tokens.count, matrices.gate.rows, normed.columns)
    self.tokens = tokens
    let inputs = Matrix(unfilled: count, columns: width)
    let outputGradients = Matrix(unfilled: count, columns: width)
    let inputGradients = Matrix(unfilled: count, columns: width)
    let hidden = Matrix(unfilled: count, columns: channels)
    let (gate, up) = (Matrix(unfilled: count, columns: channels), Matrix(unfilled: count, columns: channels))
    let forward = (gate: PackedMatrix(matrices.gate), up: PackedMatrix(matrices.up))
    let backward = (
      gate: PackedMatrix(transposing: matrices.gate), up: PackedMatrix(transposing: matrices.up),
      down: PackedMatrix(transposing: matrices.down)
    )
    let weightGradients = Parallelism.map(Parallelism.shares(of: count, atMost: FeedForward.block)) { block in
      let (input, output) = (inputs[rows: block], outputGradients[rows: block])
      let (gate, up, hidden) = (gate[rows: block], up[rows: block], hidden[rows: block])
      gatherRows(normed, tokens[block], into: input)
      gatherRows(gradient, tokens[block], into: output)
      return Profile.measure(.experts) {
        multiply(input, transposed: forward.gate, into: gate)
        multiply(input, transposed: forward.up, into: up)
        hidden.assign(gate)
        swiglu(gate: hidden, up: up)
        let hiddenGradient = Matrix(unfilled: block.count, columns: channels)
        multiply(output, transposed: backward.down, into: hiddenGradient)
        let dots = rowDots(hidden, hiddenGradient)
        scaleRows(hiddenGradient, by: weights[block])
        scaleRows(output, by: weights[block])
        swigluGradient(gate: gate, up: up, gradient: hiddenGradient)
        multiply(gate, transposed: backward.gate, into: inputGradients[rows: block])
        multiply(up, transposed: backward.up, adding: true, into: inputGradients[rows: block])
        return dots
      }
    }
    self.inputs = inputs
    self.hidden = hidden
    self.outputGradients = outputGradients
    self.inputGradients = inputGradients
    gateGradients = gate
    upGradients = up
    self.weightGradients = weightGradients.flatMap(\.self)
  }
}
