package import Inference
package import Tensors

/// What dropping a matrix's directions changes in a loss, to first order.
///
/// A token with input x and gradient g at the output of W (or of W − W_base) = Σ σᵢ uᵢ vᵢᵀ feels each direction by
/// itself: without direction i the loss changes by −(g · √σᵢ uᵢ)(√σᵢ vᵢ · x). Two products give all directions of all
/// tokens, and so every filter at once. The rounding of the filtered matrix is not in it.
package struct DirectionEffects: Sendable {
  /// U √σ and V √σ: (directions, rows of W) and (directions, columns of W).
  private let left: PackedFactor
  private let right: PackedFactor

  /// Tokens that a worker takes at once.
  private static let block = 480

  package init(_ decomposition: SiteDecomposition) throws {
    (left, right) = try decomposition.packedFactors()
  }

  /// The change of the loss by each row of inputs and gradients, for some ranks: (rows, ranks), in the loss's unit.
  package func changes(_ gradient: SiteGradient, ranks: [Int]) -> Matrix {
    let (inputs, gradients) = (gradient.inputs, gradient.gradients)
    let result = Matrix(rows: inputs.rows, columns: ranks.count)
    let descending = ranks.indices.sorted { ranks[$0] > ranks[$1] }
    let blocks = Parallelism.shares(of: inputs.rows, atMost: Self.block)
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      let outputs = Matrix(unfilled: block.count, columns: left.directions)
      let coordinates = Matrix(unfilled: block.count, columns: left.directions)
      left.project(gradients[rows: block], into: outputs)
      right.project(inputs[rows: block], into: coordinates)
      var sums = Array(repeating: Float(0), count: block.count)
      var end = left.directions
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
