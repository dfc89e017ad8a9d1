package import Inference
package import Tensors

/// What dropping a matrix's directions changes in a loss, to first order.
///
/// A token with input x and gradient g at the output of W (or of W − W_base) = Σ σᵢ uᵢ vᵢᵀ feels each direction by itself:
/// without those from rank r on, the loss changes by −Σ_{i ≥ r} (g · √σᵢ uᵢ)(√σᵢ vᵢ · x). Two products give all directions
/// of all tokens, and so every rank at once. The rounding of the truncated matrix is not in it.
package struct DirectionEffects: Sendable {
  /// (directions, rows of W) and (directions, columns of W)
  private let left: PackedMatrix
  private let right: PackedMatrix

  /// Tokens that a worker takes at once.
  private static let block = 480

  package init(_ decomposition: SiteDecomposition) throws {
    let factors = try decomposition.factors(along: 0..<decomposition.fullRank, type: .float32)
    let (rows, rank) = (factors.left.rows, factors.left.columns)
    let long = Matrix(unfilled: rows, columns: rank)
    try factors.left.decode(rows: 0..<rows, into: long)
    left = PackedMatrix(transposing: long)
    right = try PackedMatrix(factors.right, rows: 0..<rank, precision: .float32)
  }

  /// The change of the loss by each row of inputs and gradients, for some ranks: (rows, ranks), in the loss's unit.
  package func changes(_ gradient: SiteGradient, ranks: [Int]) -> Matrix {
    let (inputs, gradients) = (gradient.inputs, gradient.gradients)
    let result = Matrix(rows: inputs.rows, columns: ranks.count)
    let descending = ranks.indices.sorted { ranks[$0] > ranks[$1] }
    let blocks = Parallelism.shares(of: inputs.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      let outputs = Matrix(unfilled: block.count, columns: left.rows)
      let coordinates = Matrix(unfilled: block.count, columns: left.rows)
      multiply(gradients[rows: block], transposed: left, into: outputs)
      multiply(inputs[rows: block], transposed: right, into: coordinates)
      var sums = Array(repeating: Float(0), count: block.count)
      var end = left.rows
      for place in descending {
        let dropped = min(ranks[place], end)..<end
        let dots = rowDots(outputs[columns: dropped], coordinates[columns: dropped])
        for row in sums.indices {
          sums[row] -= dots[row]
          result[block.lowerBound + row, place] = sums[row]
        }
        end = dropped.lowerBound
      }
    }
    return result
  }
}
