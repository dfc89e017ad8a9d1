internal import COpenBLAS

/// A matrix with a factor fᵢ on each of its directions: Σ fᵢ σᵢ uᵢ vᵢᵀ, or A − Σ (1 − fᵢ) σᵢ uᵢ vᵢᵀ, whichever has
/// fewer directions to go through. Which one, and how it is computed, depends on shape, type and factors alone.
///
/// Few directions are gone through one by one, in two products of float64. Of a large matrix with many, H = Σ wᵢ vᵢ vᵢᵀ is made
/// once, in float64, and each part takes one product with it, A H (or H A where m < n), in float32. What that adds is about
/// √n 2⁻²⁴ of what the filter changes, a thousandth of what rounding to 16 bits adds.
package struct DirectionFilter: Sendable {
  private let directions: WeightedDirections
  private let subtracts: Bool
  /// H, where it is used.
  private let whole: PackedMatrix?

  /// From this full rank on, products are what takes the time.
  private static let leastRank = 1024

  /// Whether H takes fewer multiplications, those of float32 counting half: m n² + n² r against 4 m n r, of r
  /// directions and n the shorter side.
  private static func pays(_ directions: Int, rows: Int, columns: Int) -> Bool {
    let (long, short) = (max(rows, columns), min(rows, columns))
    return short >= leastRank && directions * (4 * long - short) > long * short
  }

  /// - Parameter type: What the result is rounded to.
  init(_ decomposition: SingularValueDecomposition, _ factors: [Double], roundedTo type: ElementType) {
    let (kept, changed) = (factors.count { $0 != 0 }, factors.count { $0 != 1 })
    subtracts = kept > changed
    directions = WeightedDirections(decomposition, weights: subtracts ? factors.map { 1 - $0 } : factors)
    let isWhole = Self.pays(directions.count, rows: decomposition.rows, columns: decomposition.columns)
    whole = isWhole && type != .float32 ? PackedMatrix(directions.projection) : nil
  }

  /// - Parameter part: The matrix that was decomposed, or some rows of a tall one, or some columns of a wide one; the
  ///   result is the same part.
  package func applied(to part: DoubleMatrix) -> DoubleMatrix {
    var result = subtracts ? part : .zeros(rows: part.rows, columns: part.columns)
    if let whole {
      directions.add(of: part, by: whole, sign: subtracts ? -1 : 1, to: &result)
    } else {
      directions.add(of: part, sign: subtracts ? -1 : 1, to: &result)
    }
    return result
  }
}

extension SingularValueDecomposition {
  /// - Parameters:
  ///   - factors: fᵢ of each direction; the same ones give the same bits, however they came about.
  ///   - type: What the result will be rounded to.
  package func filter(_ factors: [Double], roundedTo type: ElementType = .float32) -> DirectionFilter {
    DirectionFilter(self, factors, roundedTo: type)
  }
}
