internal import Checkpoints
internal import Glibc
internal import Models
internal import Tensors

/// From last states to the likelihood of each token: final norm, vocabulary matrix, log-sum-exp.
///
/// Logits exist for one block of rows and one block of the vocabulary at a time; each row carries a running maximum and
/// sum over the blocks. The vocabulary matrix is packed block by block too.
struct VocabularyHead: Sendable {
  let model: Model
  let norm: Matrix

  static let rowBlock = 240
  static let vocabularyBlock = 1024
  /// Numbers of one model's logits that are compared at once: 64 MB.
  static let divergenceLogits = 1 << 24

  init(_ model: Model) throws(CheckpointError) {
    self.model = model
    norm = try model.normWeights(model.layout.finalNorm)
  }

  /// Makes logits of products with the vocabulary matrix, in place.
  func finish(_ products: Matrix) {
    let multipliers = model.configuration.multipliers
    if let cap = multipliers.logitCap {
      softCap(products, scale: multipliers.logits, cap: cap)
    } else {
      scale(products, by: multipliers.logits)
    }
  }

  /// What targets[i] gets, predicted from states' row rows[i].
  func likelihoods(
    _ states: Matrix, rows: [Int32], targets: [Int32]
  ) throws(CheckpointError) -> [TokenLikelihood] {
    try sums(normed(states, rows: rows), targets: targets).flatMap(\.likelihoods)
  }

  /// log Σ exp of the logits of each normed state.
  func logSumExp(_ normed: Matrix, targets: [Int32]) throws(CheckpointError) -> [Double] {
    try sums(normed, targets: targets).flatMap(\.logSumExp)
  }

  /// Some rows of the states, normed.
  func normed(_ states: Matrix, rows: [Int32]) -> Matrix {
    let blocks = Self.blocks(of: rows.count)
    let normed = Matrix(unfilled: rows.count, columns: states.columns)
    Parallelism.forEach(blocks.count) { index in
      let part = normed[rows: blocks[index]]
      gatherRows(states, rows[blocks[index]], into: part)
      normalize(part, weight: norm, epsilon: model.configuration.normEpsilon, into: part)
    }
    return normed
  }

  /// Rows that a worker takes at once.
  static func blocks(of count: Int) -> [Range<Int>] { Parallelism.shares(of: count, atMost: rowBlock) }

  private func sums(_ normed: Matrix, targets: [Int32]) throws(CheckpointError) -> [RunningSum] {
    precondition(normed.rows == targets.count)
    let blocks = Self.blocks(of: normed.rows)
    let sums = blocks.map { RunningSum(targets: Array(targets[$0])) }
    let head = try model.weight(model.layout.head)
    for vocabulary in Parallelism.blocks(of: head.reference.rows, size: Self.vocabularyBlock) {
      let weights = try model.packed([head], rows: vocabulary)
      Parallelism.forEach(blocks.count) { index in
        Profile.measure(.vocabulary) {
          let logits = Matrix(unfilled: blocks[index].count, columns: vocabulary.count)
          multiply(normed[rows: blocks[index]], transposed: weights, into: logits)
          finish(logits)
          sums[index].update(logits, vocabulary: vocabulary)
        }
      }
    }
    return sums
  }

  /// How far another model's predictions are from this one's, for some rows of both models' states: KL divergence in
  /// nats, and whether the most likely token is the same.
  func divergences(
    _ states: Matrix, from other: VocabularyHead, _ otherStates: Matrix, rows: [Int32]
  ) throws(CheckpointError) -> [(nats: Double, sameTop: Bool)] {
    let heads = [(head: self, states: states), (head: other, states: otherStates)]
    let size = model.layout.head.rows
    var result: [(nats: Double, sameTop: Bool)] = []
    // Rows whose logits over the whole vocabulary exist at once, of both models.
    for chunk in Parallelism.blocks(of: rows.count, size: max(Self.rowBlock, Self.divergenceLogits / size)) {
      let blocks = Parallelism.blocks(of: chunk.count, size: 48)
      let logits = try heads.map { pair throws(CheckpointError) in
        try pair.head.logits(pair.states, rows: rows[chunk], blocks: blocks)
      }
      result += Parallelism.map(blocks) { block in
        let (nats, sameTop) = divergence(logits[0][rows: block], logits[1][rows: block])
        return zip(nats, sameTop).map { (nats: $0, sameTop: $1) }
      }.flatMap(\.self)
    }
    return result
  }

  /// (rows, vocabulary), the vocabulary matrix packed block by block.
  private func logits(
    _ states: Matrix, rows: ArraySlice<Int32>, blocks: [Range<Int>]
  ) throws(CheckpointError) -> Matrix {
    let normed = Matrix(unfilled: rows.count, columns: states.columns)
    gatherRows(states, rows, into: normed)
    normalize(normed, weight: norm, epsilon: model.configuration.normEpsilon, into: normed)
    let reference = model.layout.head
    let result = Matrix(unfilled: rows.count, columns: reference.rows)
    for vocabulary in Parallelism.blocks(of: reference.rows, size: Self.vocabularyBlock) {
      let weights = try model.packed(reference, rows: vocabulary)
      Parallelism.forEach(blocks.count) { index in
        let part = result[rows: blocks[index]][columns: vocabulary]
        multiply(normed[rows: blocks[index]], transposed: weights, into: part)
        finish(part)
      }
    }
    return result
  }

  /// Logits of some rows over the whole vocabulary: (rows, vocabulary).
  func logits(_ states: Matrix) throws(CheckpointError) -> Matrix {
    let normed = Matrix(unfilled: states.rows, columns: states.columns)
    normalize(states, weight: norm, epsilon: model.configuration.normEpsilon, into: normed)
    let result = Matrix(unfilled: states.rows, columns: model.layout.head.rows)
    multiply(normed, transposed: try model.weightsForProducts(model.layout.head), into: result)
    finish(result)
    return result
  }

  /// The log-sum-exp of a block of rows so far. One worker at a time has it.
  private final class RunningSum: @unchecked Sendable {
    private let targets: [Int32]
    private var targetLogits: [Float]
    private var maximum: [Float]
    private var sum: [Double]

    init(targets: [Int32]) {
      self.targets = targets
      targetLogits = Array(repeating: .nan, count: targets.count)
      maximum = Array(repeating: -.infinity, count: targets.count)
      sum = Array(repeating: 0, count: targets.count)
    }

    /// Adds the logits of one block of the vocabulary.
    func update(_ logits: Matrix, vocabulary: Range<Int>) {
      accumulateExponentials(logits, maximum: &maximum, sum: &sum)
      for (row, target) in targets.enumerated() where vocabulary.contains(Int(target)) {
        targetLogits[row] = logits[row, Int(target) - vocabulary.lowerBound]
      }
    }

    var logSumExp: [Double] { targets.indices.map { Double(maximum[$0]) + log(sum[$0]) } }

    var likelihoods: [TokenLikelihood] {
      logSumExp.indices.map {
        TokenLikelihood(nll: logSumExp[$0] - Double(targetLogits[$0]), isTop: targetLogits[$0] >= maximum[$0])
      }
    }
  }
}
