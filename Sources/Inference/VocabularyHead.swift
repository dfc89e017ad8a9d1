internal import Checkpoints
internal import Glibc
internal import Tensors

/// From last states to the negative log-likelihood of each token: final norm, vocabulary matrix, log-sum-exp.
///
/// Logits exist for one block of rows and one block of the vocabulary at a time; each row carries a running maximum and
/// sum over the blocks. The vocabulary matrix is expanded block by block too.
struct VocabularyHead: Sendable {
  private let model: Model
  private let norm: Matrix

  private static let rowBlock = 5 * rowTile
  /// Every tile of OpenBLAS's x86-64 kernels divides this many rows (4, 8, 12, 16 and 24 do).
  private static let rowTile = 48
  private static let vocabularyBlock = 4096

  init(_ model: Model) throws(CheckpointError) {
    self.model = model
    norm = try model.weights(model.layout.finalNorm)
  }

  /// −log p(targets[i]) in nats, predicted from states' row rows[i].
  func negativeLogLikelihoods(
    _ states: Matrix, rows: [Int32], targets: [Int32]
  ) throws(CheckpointError) -> [Double] {
    precondition(rows.count == targets.count)
    let blocks = Parallelism.blocks(of: rows.count, size: Self.rowBlock)
    // Every product has a whole block of rows: see `places`.
    let normed = Matrix(rows: blocks.count * Self.rowBlock, columns: states.columns)
    Parallelism.forEach(blocks.count) { index in
      let part = normed[rows: blocks[index]]
      gatherRows(states, rows[blocks[index]], into: part)
      normalize(part, weight: norm, epsilon: model.configuration.normEpsilon, into: part)
    }
    let sums = blocks.map { RunningSum(targets: Array(targets[$0])) }
    let reference = model.layout.head
    for vocabulary in Parallelism.blocks(of: reference.rows, size: Self.vocabularyBlock) {
      let weights = Matrix(rows: vocabulary.count, columns: reference.columns)
      try model.decode(reference, rows: vocabulary, into: weights)
      Parallelism.forEach(blocks.count) { index in
        let first = blocks[index].lowerBound
        let logits = Matrix(rows: Self.rowBlock, columns: vocabulary.count)
        multiply(normed[rows: first..<first + Self.rowBlock], transposed: weights, into: logits)
        sums[index].take(logits[rows: 0..<blocks[index].count], vocabulary: vocabulary)
      }
    }
    return sums.flatMap(\.negativeLogLikelihoods)
  }

  /// Where rows of a list are to stand in a shorter list so that each gets the same result, to the bit.
  ///
  /// BLAS picks its loops by the shape of a product, and some of its loops sum in an order that depends on a row's place
  /// in the tile. So blocks always have the same shape, and a row keeps its place modulo the tile.
  static func places(of rows: [Int]) -> [Int] {
    var taken = Array(repeating: 0, count: rowTile)
    return rows.map { row in
      let place = row % rowTile
      defer { taken[place] += 1 }
      return taken[place] * rowTile + place
    }
  }

  /// How far another model's predictions are from this one's, for some rows of both models' states: KL divergence in
  /// nats, and whether the most likely token is the same.
  func divergences(
    _ states: Matrix, from other: VocabularyHead, _ otherStates: Matrix, rows: [Int32]
  ) throws(CheckpointError) -> [(nats: Double, sameTop: Bool)] {
    let heads = [
      (self, states, try model.weights(model.layout.head)),
      (other, otherStates, try other.model.weights(other.model.layout.head)),
    ]
    let blocks = Parallelism.blocks(of: rows.count, size: Self.rowTile)
    return Parallelism.map(blocks) { block in
      let logits = heads.map { head, states, weights in
        let normed = Matrix(rows: block.count, columns: states.columns)
        gatherRows(states, rows[block], into: normed)
        normalize(normed, weight: head.norm, epsilon: head.model.configuration.normEpsilon, into: normed)
        let logits = Matrix(rows: block.count, columns: weights.rows)
        multiply(normed, transposed: weights, into: logits)
        return logits
      }
      let (nats, sameTop) = divergence(logits[0], logits[1])
      return zip(nats, sameTop).map { (nats: $0, sameTop: $1) }
    }.flatMap(\.self)
  }

  /// Logits of some rows over the whole vocabulary: (rows, vocabulary).
  func logits(_ states: Matrix) throws(CheckpointError) -> Matrix {
    let normed = Matrix(rows: states.rows, columns: states.columns)
    normalize(states, weight: norm, epsilon: model.configuration.normEpsilon, into: normed)
    let result = Matrix(rows: states.rows, columns: model.layout.head.rows)
    multiply(normed, transposed: try model.weights(model.layout.head), into: result)
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

    func take(_ logits: Matrix, vocabulary: Range<Int>) {
      accumulateExponentials(logits, maximum: &maximum, sum: &sum)
      for (row, target) in targets.enumerated() where vocabulary.contains(Int(target)) {
        targetLogits[row] = logits[row, Int(target) - vocabulary.lowerBound]
      }
    }

    var negativeLogLikelihoods: [Double] {
      targets.indices.map { Double(maximum[$0]) + log(sum[$0]) - Double(targetLogits[$0]) }
    }
  }
}
