internal import Inference
internal import Models
internal import RankReduction
internal import Tensors

/// A pass backwards through the model that a scorer began with, nothing having been kept: from the vocabulary down,
/// with the gradient of the loss, as the metric has it, at every site. The states that enter each layer are the scorer's; everything inside a
/// layer is computed again.
package struct BackwardPass {
  private let groups: [Group]

  /// Windows whose gradients are computed at once: a shard, or less of it where memory asks for that.
  private struct Group {
    let shard: WindowShard
    /// In the shard's states.
    let rows: Range<Int>
    let forward: ForwardPass
    /// Into the windows of the search text.
    let windows: [Int]
    /// What the loss changes by with each scored token's −log p.
    let lossGradients: [Double]

    func states(entering layer: Int) throws -> Matrix { try shard.states(entering: layer, rows: rows) }
  }

  package init(_ scorer: borrowing TrialScorer) throws {
    let (model, limit) = (scorer.model, scorer.memory.gradientLimit)
    groups = try scorer.shards.flatMap { shard in
      let batch = shard.forward.batch
      let gradients = shard.lossGradients
      var position = 0
      return try ScorerMemory.groups(Array(batch.windows.indices), limit: limit) { batch.windows[$0].tokens.count }
        .map { places in
          let rows = batch.rows[places[0]].lowerBound..<batch.rows[places[places.count - 1]].upperBound
          let windows = places.map { batch.windows[$0] }
          let start = position
          position += windows.reduce(0) { $0 + $1.scoredCount }
          return Group(
            shard: shard, rows: rows, forward: try ForwardPass(model, WindowBatch(windows)),
            windows: places.map { shard.indices[$0] }, lossGradients: Array(gradients[start..<position]))
        }
    }
  }

  /// The groups of windows with the gradient after the last layer, for a pass that makes statistics of directions.
  ///
  /// - Parameters:
  ///   - folds: By window of the search text.
  ///   - checkpoint: Called often; may throw to end the work.
  func directionGroups(folds: [Int], checkpoint: () throws -> Void) throws -> [DirectionPass.Group] {
    guard let last = groups.first.map({ $0.forward.model.configuration.layerCount - 1 }) else { return [] }
    return try groups.map { group in
      let states = try group.states(entering: last)
      try group.forward.run(layer: last, states)
      return DirectionPass.Group(
        group.forward, folds: group.windows.map { folds[$0] },
        gradient: try GradientPass(group.forward).gradient(
          ofLast: states, weights: group.lossGradients, checkpoint: checkpoint))
    }
  }

  /// A copy of the states of a group that enter a layer.
  func states(ofGroup index: Int, entering layer: Int) throws -> Matrix { try groups[index].states(entering: layer) }
}
