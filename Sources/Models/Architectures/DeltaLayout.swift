internal import Checkpoints

/// Where layers of linear attention have their tensors.
struct DeltaLayout {
  let shape: DeltaShape
  let hidden: Int
  /// Whether queries, keys, values and gates are made by one matrix, key head by key head.
  let isFused: Bool

  /// - Parameter prefix: "model.layers.0.linear_attn."
  func layout(_ prefix: String) -> TensorLayout.DeltaAttention {
    func vector(_ name: String, _ count: Int) -> TensorReference { .vector(prefix + name, count) }
    return TensorLayout.DeltaAttention(
      shape: shape, inputs: isFused ? fusedInputs(prefix) : inputs(prefix),
      convolution: TensorReference(
        name: prefix + "conv1d.weight", shape: (shape.channelCount, 1, shape.convolutionWidth), index: 0,
        rows: 0..<shape.channelCount),
      decayBias: vector("dt_bias", shape.valueHeadCount), decayLogarithm: vector("A_log", shape.valueHeadCount),
      norm: vector("norm.weight", shape.valueDimension),
      output: .matrix(prefix + "out_proj.weight", hidden, shape.valueWidth))
  }

  private typealias Input = TensorLayout.DeltaAttention.Input

  private func inputs(_ prefix: String) -> [Input] {
    func input(_ name: String, _ role: Role?, _ columns: Range<Int>) -> Input {
      Input(
        role: role, matrix: .matrix(prefix + name + ".weight", columns.count, hidden),
        pieces: [(0..<columns.count, columns.lowerBound)])
    }
    return [
      input("in_proj_qkv", .deltaInput, shape.channels), input("in_proj_z", .deltaGate, shape.gates),
      input("in_proj_b", nil, shape.rates), input("in_proj_a", nil, shape.decays),
    ]
  }

  /// Key head by key head: its queries and keys, the values and the gates of the heads that it serves; in the other
  /// matrix their rates and decays.
  private func fusedInputs(_ prefix: String) -> [Input] {
    let served = shape.valueHeadCount / shape.keyHeadCount
    func input(_ name: String, _ role: Role?, _ parts: [(count: Int, column: Int)]) -> Input {
      var pieces: [(rows: Range<Int>, column: Int)] = []
      var row = 0
      for head in 0..<shape.keyHeadCount {
        for part in parts {
          pieces.append((row..<row + part.count, part.column + head * part.count))
          row += part.count
        }
      }
      return Input(role: role, matrix: .matrix(prefix + name + ".weight", row, hidden), pieces: pieces)
    }
    let values = served * shape.valueDimension
    return [
      input(
        "in_proj_qkvz", .deltaInputAndGate,
        [
          (shape.keyDimension, 0), (shape.keyDimension, shape.keyWidth), (values, 2 * shape.keyWidth),
          (values, shape.gates.lowerBound),
        ]),
      input("in_proj_ba", nil, [(served, shape.rates.lowerBound), (served, shape.decays.lowerBound)]),
    ]
  }
}
