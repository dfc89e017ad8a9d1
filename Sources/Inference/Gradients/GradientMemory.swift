internal import Checkpoints
package import Models
internal import Tensors

extension Model {
  /// For each token that passes a layer backwards: its states and their gradient, those after attention, and what is
  /// made of them on the way, in an expert as if all tokens went to one, or in attention.
  package var bytesOfGradient: Int {
    let hidden = configuration.hiddenSize
    let projected = configuration.largestOfHeads(\.projectionWidth)
    // x and its gradient; an expert's inputs, their gradient and its outputs'; its channels and two gradients at them.
    // And, where what is added is normed or multiplied, that and its gradient, and both once more on the way.
    let multiplied = configuration.multipliers.residual != 1
    let isGated = layout.layers.contains { $0.attention.heads?.isGated == true }
    let isNormed = layout.layers.contains { $0.feedForwardOutputNorm != nil }
    // And, where router, experts and the shared one have norms apart: their inputs with gradients, and their sums twice.
    let parts = hasPartNorms ? 8 : 0
    let expert = (parts + (isNormed ? 9 : multiplied ? 6 : 5)) * hidden + 3 * (everyExpert.map(\.gate.rows).max() ?? 0)
    // The normed states, their gradient and that of what is added, the context and its gradient; projections plain and
    // rotated, their gradient; keys and values that a branch of a window sees, and their gradient; latents with their
    // gradients, and what they are expanded to, once for all tokens and once on the way.
    let latents =
      layout.layers.map { layer in
        guard case .latent(let latent) = layer.attention else { return 0 }
        return 4 * ((latent.queryDown?.matrix.rows ?? 0) + latent.keyValueDown.matrix.rows) + 2 * latent.keyValueUp.rows
      }.max() ?? 0
    let attention =
      3 * hidden + 2 * configuration.largestOfHeads(\.contextWidth) + (isGated ? 6 : 3) * projected
      + 2 * configuration.largestOfHeads { $0.keyWidth + $0.valueWidth } + latents
    // Of linear attention: what is made of the states, its gradient and both in the order of the matrices; before, after
    // and behind the convolution with their gradients; what heads read and its gradients.
    let deltas =
      layout.layers.map { layer in
        guard case .delta(let delta) = layer.attention else { return 0 }
        let shape = delta.shape
        return 3 * hidden + 4 * shape.projectionWidth + 10 * shape.channelCount + 8 * shape.valueWidth
          + DeltaRule.gradientNumbers(perRowOf: shape.keyDimension, shape.valueDimension)
      }.max() ?? 0
    return MemoryLayout<Float>.stride * (3 * hidden + max(expert, attention, deltas))
  }

  /// The most that weights take at once while a layer, or the vocabulary, is passed backwards, with the workers'
  /// scratch: blocks of an expert's channels packed both ways and the pages they come from, attention's matrices
  /// packed both ways, a block of the vocabulary.
  package var bytesOfGradientWeights: Int {
    let float = MemoryLayout<Float>.stride
    let hidden = configuration.hiddenSize
    let attentionNumbers =
      layout.layers.map { layer in
        layer.attention.matrices.reduce(0) { $0 + $1.reference.rows * $1.reference.columns }
      }.max() ?? 0
    let blocks = everyExpert.map { expert -> Int in
      MemoryPlan.blocks(ofChannels: expert.gate.rows, hidden: hidden, limit: execution.channelLimit).first?.count ?? 0
    }
    let expert =
      zip(everyExpert, blocks).map { expert, block in
        // Four packed, and one on its way there.
        float * 5 * block * hidden + bytes(expert.down) + bytes(expert.gate, rows: block)
          + bytes(expert.up, rows: block)
      }.max() ?? 0
    let attention =
      float
      * (attentionNumbers + hidden
        * (configuration.largestOfHeads { max($0.queryWidth, $0.contextWidth) } + TransposedWeights.block))
    let vocabulary = float * 3 * VocabularyHead.vocabularyBlock * hidden
    let rows = max(
      FeedForward.block * (blocks.max() ?? 0), VocabularyHead.rowBlock * VocabularyHead.vocabularyBlock)
    let inProducts = PackedMatrix.scratchBytes(rows: FeedForward.block, columns: max(hidden, blocks.max() ?? 0))
    // States and their gradients, of a beginning and of a branch, and those of one head that exist at once.
    let states = 3 * deltaStates + DeltaRule.gradientNumbers(atOnce: largestState)
    return max(expert, attention, vocabulary) + Parallelism.threads * (float * (rows + states) + inProducts)
  }
}
