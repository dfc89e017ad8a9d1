internal import Checkpoints
internal import Models
internal import Tensors

extension VocabularyHead {
  /// The gradient of Σ −weights[i] · log p(targets[i]), predicted from states' row rows[i], with respect to the states.
  ///
  /// With p = softmax(W n) for the normed state n, it is weight · Wᵀ(p − onehot(target)) at n, where logits are multiplied
  /// or capped through that. Logits exist for one block of
  /// rows and one of the vocabulary at a time, and are computed twice: for the sum of their exponentials, and for p.
  ///
  /// - Parameter checkpoint: Called between blocks of the vocabulary; may throw to end the work.
  func gradient(
    _ states: Matrix, rows: [Int32], targets: [Int32], weights: [Double], checkpoint: () throws -> Void
  ) throws -> Matrix {
    let blocks = Self.blocks(of: rows.count)
    let normed = normed(states, rows: rows)
    let logSums = try logSumExp(normed, targets: targets)
    let normedGradient = Matrix(rows: rows.count, columns: states.columns)
    let head = model.layout.head
    let multipliers = model.configuration.multipliers
    let cap = multipliers.logitCap
    for vocabulary in Parallelism.blocks(of: head.rows, size: Self.vocabularyBlock) {
      try checkpoint()
      let weights = Matrix(unfilled: vocabulary.count, columns: head.columns)
      try model.decode(head, rows: vocabulary, into: weights)
      let forward = PackedMatrix(weights)
      let backward = PackedMatrix(transposing: weights)
      Parallelism.forEach(blocks.count) { index in
        let block = blocks[index]
        Profile.measure(.vocabulary) {
          let logits = Matrix(unfilled: block.count, columns: vocabulary.count)
          multiply(normed[rows: block], transposed: forward, into: logits)
          let products = cap.map { _ in logits.copy() }
          finish(logits)
          exponentials(logits, logSumExp: Array(logSums[block]))
          for (row, target) in targets[block].enumerated() where vocabulary.contains(Int(target)) {
            logits[row, Int(target) - vocabulary.lowerBound] -= 1
          }
          if let cap, let products {
            softCapGradient(products, scale: multipliers.logits, cap: cap, gradient: logits)
          } else {
            scale(logits, by: multipliers.logits)
          }
          multiply(logits, transposed: backward, adding: true, into: normedGradient[rows: block])
        }
      }
    }
    let gradients = Matrix(rows: rows.count, columns: states.columns)
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      let inputs = Matrix(unfilled: block.count, columns: states.columns)
      gatherRows(states, rows[block], into: inputs)
      normalizeGradient(
        inputs, weight: norm, epsilon: model.configuration.normEpsilon, gradient: normedGradient[rows: block],
        addingTo: gradients[rows: block])
    }
    let result = Matrix(rows: states.rows, columns: states.columns)
    addRows(gradients, rows[...], weights: weights.map(Float.init), to: result)
    return result
  }
}
