package import Checkpoints
package import Models
package import Tensors

extension ForwardPass {
  /// One whole layer, in place, whose matrices' inputs are seen.
  ///
  /// - Precondition: Queries, keys and values are made of the states, as GGUF has them.
  package func run(layer: Int, _ states: Matrix, observe: @escaping InputObserver) throws(CheckpointError) {
    let attention = try Attention(model, layer: layer)
    let normed = Matrix(unfilled: states.rows, columns: states.columns)
    let context = Matrix(unfilled: states.rows, columns: attention.heads.contextWidth)
    let groups = batch.groups(ofTokens: Self.groupTokens)
    Parallelism.forEach(groups.count) { index in
      let group = batch.group(groups[index])
      attention.norm.apply(states[rows: group.all], into: normed[rows: group.all])
      attention.apply(
        to: states[rows: group.all], windows: group.windows, rotary: rotary, context: context[rows: group.all])
    }
    observe([.query, .key, .value], nil, normed)
    observe([.output], nil, context)
    _ = try FeedForward(model, layer: layer).apply(to: states, observe: observe)
  }
}

extension Model {
  /// Bytes of the inputs that `ForwardPass.run(layer:_:observe:)` keeps of a token.
  package var bytesOfInputs: Int {
    (configuration.hiddenSize + configuration.largestOfHeads(\.contextWidth) + widestHidden)
      * MemoryLayout<Float>.stride
  }
}
