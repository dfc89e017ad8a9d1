internal import Checkpoints
internal import Models
internal import Tensors

/// One expert's part in the backward pass, for the tokens that go to it; all matrices have a row for each.
///
/// Its weights are packed a block of hidden channels at a time, as on the forward pass. Every number is the same sum in
/// the same order whatever the block: channels are independent of each other, and sums over channels begin anew where
/// blocks may end.
struct ExpertGradient {
  let tokens: [Int32]
  /// x: (tokens, hidden)
  let inputs: Matrix
  /// h: (tokens, channels)
  let hidden: Matrix
  /// At w2 h, and at its bias: ω g, (tokens, hidden)
  let outputGradients: Matrix
  /// At a = w1 x and b = w3 x: (tokens, channels)
  let gateGradients: Matrix
  let upGradients: Matrix
  /// At x: (tokens, hidden)
  let inputGradients: Matrix
  /// At ω.
  let weightGradients: [Float]

  /// Channels over which g · w2 h is summed in one go.
  private static let channelStep = 512

  /// - Parameters:
  ///   - normed: x of all tokens.
  ///   - gradient: g of all tokens.
  ///   - tokens: Those that go to the expert.
  ///   - weights: ω of each of them.
  ///   - checkpoint: Called between blocks of channels; may throw to end the work.
  init(
    _ expert: TensorLayout.Expert, of model: Model, _ normed: Matrix, _ gradient: Matrix, tokens: [Int32],
    weights: [Float], checkpoint: () throws -> Void
  ) throws {
    let (count, channels, width) = (tokens.count, expert.gate.rows, normed.columns)
    self.tokens = tokens
    inputs = Matrix(unfilled: count, columns: width)
    outputGradients = Matrix(unfilled: count, columns: width)
    inputGradients = Matrix(unfilled: count, columns: width)
    hidden = Matrix(unfilled: count, columns: channels)
    gateGradients = Matrix(unfilled: count, columns: channels)
    upGradients = Matrix(unfilled: count, columns: channels)
    let matrices = (
      gate: try model.weight(expert.gate), up: try model.weight(expert.up), down: try model.weight(expert.down)
    )
    let biases = try FeedForward.ExpertBiases(of: expert, in: model)
    let activation = model.configuration.activation
    let channelBlocks = MemoryPlan.blocks(
      ofChannels: channels, hidden: width, limit: model.execution.channelLimit)
    let blocks = Parallelism.shares(of: count, atMost: FeedForward.block)
    let (inputs, outputs, inputGradients) = (inputs, outputGradients, inputGradients)
    Parallelism.forEach(blocks.count) { index in
      gatherRows(normed, tokens[blocks[index]], into: inputs[rows: blocks[index]])
      gatherRows(gradient, tokens[blocks[index]], into: outputs[rows: blocks[index]])
    }
    var weightGradients = Array(repeating: Float(0), count: count)
    for channels in channelBlocks {
      try checkpoint()
      let (gate, up, hidden) = (
        gateGradients[columns: channels], upGradients[columns: channels], hidden[columns: channels]
      )
      let gateForth = try model.packed([matrices.gate], rows: channels, precision: .float32)
      let upForth = try model.packed([matrices.up], rows: channels, precision: .float32)
      let downBack = try model.packedTranspose(of: matrices.down, columns: channels)
      let gateBack = try model.packedTranspose(of: matrices.gate, rows: channels)
      let dots = Parallelism.map(blocks) { block in
        Profile.measure(.experts) {
          let (gate, up, hidden) = (gate[rows: block], up[rows: block], hidden[rows: block])
          multiply(inputs[rows: block], transposed: gateForth, into: gate)
          multiply(inputs[rows: block], transposed: upForth, into: up)
          if let biases {
            addRow(biases.gate[columns: channels], to: gate)
            addRow(biases.up[columns: channels], to: up)
          }
          hidden.assign(gate)
          activation.apply(gate: hidden, up: up)
          let hiddenGradient = Matrix(unfilled: block.count, columns: channels.count)
          multiply(outputs[rows: block], transposed: downBack, into: hiddenGradient)
          let dots = Parallelism.blocks(of: channels.count, size: Self.channelStep).map {
            rowDots(hidden[columns: $0], hiddenGradient[columns: $0])
          }
          scaleRows(hiddenGradient, by: weights[block])
          activation.propagate(gate: gate, up: up, gradient: hiddenGradient)
          multiply(
            gate, transposed: gateBack, adding: channels.lowerBound > 0, into: inputGradients[rows: block])
          return dots
        }
      }
      for (block, dots) in zip(blocks, dots) {
        for part in dots {
          for (row, dot) in zip(block, part) { weightGradients[row] += dot }
        }
      }
    }
    if let biases {
      let dots = Parallelism.map(blocks) { block in
        let bias = Matrix(rows: block.count, columns: width)
        addRow(biases.down, to: bias)
        return rowDots(outputs[rows: block], bias)
      }
      for (row, dot) in dots.joined().enumerated() { weightGradients[row] += dot }
    }
    for channels in channelBlocks {
      try checkpoint()
      let up = upGradients[columns: channels]
      let upBack = try model.packedTranspose(of: matrices.up, rows: channels)
      Parallelism.forEach(blocks.count) { index in
        let block = blocks[index]
        Profile.measure(.experts) {
          multiply(up[rows: block], transposed: upBack, adding: true, into: inputGradients[rows: block])
        }
      }
    }
    Parallelism.forEach(blocks.count) { index in
      scaleRows(outputs[rows: blocks[index]], by: weights[blocks[index]])
    }
    for weight in [matrices.gate, matrices.up, matrices.down] { model.release(weight) }
    self.weightGradients = weightGradients
  }
}
