internal import Checkpoints
package import Models
internal import Tensors

extension Model {
  /// For each token that passes a layer backwards: its states and their gradient, those after attention, and what is
  /// made of them on the way, in an expert as if all tokens went to one, or in attention.
  package var bytesOfGradient: Int {
    let (hidden, queries) = (configuration.hiddenSize, configuration.queryWidth)
    let projected = queries + 2 * configuration.keyValueWidth
    // x and its gradient; an expert's inputs, their gradient and its outputs'; its channels and two gradients at them.
    let expert = 5 * hidden + 3 * (everyExpert.map(\.gate.rows).max() ?? 0)
    // The normed states and their gradient, the context and its gradient; projections plain and rotated, their
    // gradient; keys and values that a branch of a window sees, and their gradient.
    let attention = 2 * hidden + 2 * queries + 3 * projected + 4 * configuration.keyValueWidth
    return MemoryLayout<Float>.stride * (3 * hidden + max(expert, attention))
  }

  /// The most that weights take at once while a layer, or the vocabulary, is passed backwards, with the workers'
  /// scratch: blocks of an expert's channels packed both ways and the pages they come from, attention's matrices
  /// packed both ways, a block of the vocabulary.
  package var bytesOfGradientWeights: Int {
    let float = MemoryLayout<Float>.stride
    let hidden = configuration.hiddenSize
    let width = 2 * configuration.queryWidth + 2 * configuration.keyValueWidth
    let blocks = everyExpert.map { expert -> Int in
      MemoryPlan.blocks(ofChannels: expert.gate.rows, hidden: hidden, limit: execution.channelLimit).first?.count ?? 0
    }
    let expert =
      zip(everyExpert, blocks).map { expert, block in
        // Four packed, and one on its way there.
        float * 5 * block * hidden + bytes(expert.down) + bytes(expert.gate, rows: block)
          + bytes(expert.up, rows: block)
      }.max() ?? 0
    let attention = float * hidden * (width + configuration.queryWidth + TransposedWeights.block)
    let vocabulary = float * 3 * VocabularyHead.vocabularyBlock * hidden
    let rows = max(
      FeedForward.block * (blocks.max() ?? 0), VocabularyHead.rowBlock * VocabularyHead.vocabularyBlock)
    let inProducts = PackedMatrix.scratchBytes(rows: FeedForward.block, columns: max(hidden, blocks.max() ?? 0))
    return max(expert, attention, vocabulary) + Parallelism.threads * (float * rows + inProducts)
  }
}
