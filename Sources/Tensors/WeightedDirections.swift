internal import COpenBLAS

/// Some of a decomposition's directions i, each with a weight wᵢ that is not 0: Σ wᵢ σᵢ uᵢ vᵢᵀ.
///
/// The vectors are those of the shorter side: V for m ≥ n, U for m < n. On the longer side the matrix itself gives σᵢ
/// uᵢ = A vᵢ (or σᵢ vᵢᵀ = uᵢᵀ A), so that everything here takes the matrix that was decomposed, part by part.
package struct WeightedDirections: Sendable {
  let isTall: Bool
  /// Whose rows in `range` are the vectors: where the directions are neighbours, all of the decomposition's, not
  /// copied.
  let vectors: DoubleMatrix
  let range: Range<Int>
  private let singularValues: [Double]
  let weights: [Double]

  init(_ decomposition: SingularValueDecomposition, weights: [Double]) {
    precondition(weights.count == decomposition.fullRank, "one weight for each direction")
    let chosen = weights.indices.filter { weights[$0] != 0 }
    isTall = decomposition.rows >= decomposition.columns
    singularValues = chosen.map { decomposition.singularValues[$0] }
    self.weights = chosen.map { weights[$0] }
    if let first = chosen.first, let last = chosen.last, last - first + 1 > chosen.count {
      let side = decomposition.fullRank
      var elements: [Double] = []
      elements.reserveCapacity(chosen.count * side)
      for row in chosen { elements += decomposition.vectors.elements[row * side..<(row + 1) * side] }
      vectors = DoubleMatrix(rows: chosen.count, columns: side, elements: elements)
      range = 0..<chosen.count
    } else {
      vectors = decomposition.vectors
      range = (chosen.first ?? 0)..<(chosen.first ?? 0) + chosen.count
    }
  }

  package var count: Int { range.count }

  var side: Int { vectors.columns }

  /// A V (m ≥ n) or Uᵀ A (m < n): (rows of the part, count) or (count, columns of the part).
  private func coordinates(of part: DoubleMatrix) -> DoubleMatrix {
    precondition((isTall ? part.columns : part.rows) == side, "not the matrix that was decomposed")
    var result = DoubleMatrix.zeros(rows: isTall ? part.rows : count, columns: isTall ? count : part.columns)
    guard !result.elements.isEmpty, !part.elements.isEmpty else { return result }
    let (inner, number) = (Int32(side), Int32(count))
    let (height, width) = (Int32(part.rows), Int32(part.columns))
    Parallelism.prepare()
    vectors.elements.withUnsafeBufferPointer { vectors in
      guard let first = vectors.baseAddress?.advanced(by: range.lowerBound * side) else { return }
      if isTall {
        cblas_dgemm(
          CblasRowMajor, CblasNoTrans, CblasTrans, height, number, inner, 1, part.elements, width, first, inner, 0,
          &result.elements, number)
      } else {
        cblas_dgemm(
          CblasRowMajor, CblasNoTrans, CblasNoTrans, number, width, inner, 1, first, inner, part.elements, width, 0,
          &result.elements, width)
      }
    }
    return result
  }

  /// Multiplies each direction's coordinates by a factor of its own.
  private func scale(_ coordinates: inout DoubleMatrix, by factors: [Double]) {
    guard factors.contains(where: { $0 != 1 }) else { return }
    let columns = coordinates.columns
    coordinates.elements.withUnsafeMutableBufferPointer { numbers in
      for row in 0..<coordinates.rows {
        for column in 0..<columns { numbers[row * columns + column] *= factors[isTall ? column : row] }
      }
    }
  }

  /// target += sign · Σ wᵢ σᵢ uᵢ vᵢᵀ, of the same part.
  func add(of part: DoubleMatrix, sign: Double, to target: inout DoubleMatrix) {
    guard count > 0, !part.elements.isEmpty else { return }
    var coordinates = coordinates(of: part)
    scale(&coordinates, by: weights)
    let (inner, number) = (Int32(side), Int32(count))
    let (height, width) = (Int32(part.rows), Int32(part.columns))
    vectors.elements.withUnsafeBufferPointer { vectors in
      guard let first = vectors.baseAddress?.advanced(by: range.lowerBound * side) else { return }
      target.elements.withUnsafeMutableBufferPointer { target in
        if isTall {
          cblas_dgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, height, width, number, sign, coordinates.elements, number, first,
            inner, 1, target.baseAddress, width)
        } else {
          cblas_dgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, height, width, number, sign, first, inner, coordinates.elements,
            width, 1, target.baseAddress, width)
        }
      }
    }
  }

  // MARK: Factors

  /// The factor on the longer side: A V √|w|/√σ (m ≥ n) or √|w|/√σ Uᵀ A (m < n). With `shortFactor` it makes the
  /// product U √(|w| σ) · √(|w| σ) Vᵀ sign w, whose two factors have the same norms.
  ///
  /// - Parameter part: Some rows of a tall matrix, or some columns of a wide one; the result is the same part.
  package func longFactor(of part: DoubleMatrix) -> DoubleMatrix {
    var result = coordinates(of: part)
    // A direction that does not count has no length to divide by.
    scale(
      &result,
      by: zip(singularValues, weights).map { $0 > 0 ? $1.magnitude.squareRoot() * (1 / $0.squareRoot()) : 0 })
    return result
  }

  /// The factor on the shorter side, all of it: √(|w| σ) sign w Vᵀ (count, n) for m ≥ n, U √(|w| σ) sign w (m, count)
  /// for m < n.
  package var shortFactor: DoubleMatrix {
    var result = DoubleMatrix.zeros(rows: isTall ? count : side, columns: isTall ? side : count)
    for (index, row) in range.enumerated() {
      let weight = weights[index]
      let scale = (weight < 0 ? -1 : 1) * weight.magnitude.squareRoot() * singularValues[index].squareRoot()
      for place in 0..<side {
        result.elements[isTall ? index * side + place : place * count + index] =
          scale * vectors.elements[row * side + place]
      }
    }
    return result
  }
}

extension SingularValueDecomposition {
  /// The directions whose weight is not 0.
  package func directions(weights: [Double]) -> WeightedDirections { WeightedDirections(self, weights: weights) }

  /// Directions in a range, each with weight 1.
  package func directions(_ range: Range<Int>) -> WeightedDirections {
    directions(weights: (0..<fullRank).map { range.contains($0) ? 1 : 0 })
  }

  /// A V / √σ (m ≥ n) or Uᵀ A / √σ (m < n) along some directions: see `WeightedDirections`.
  package func longFactor(of matrix: DoubleMatrix, along range: Range<Int>) -> DoubleMatrix {
    directions(range).longFactor(of: matrix)
  }

  /// √σ Vᵀ (k, n) for m ≥ n, U √σ (m, k) for m < n.
  package func shortFactor(along range: Range<Int>) -> DoubleMatrix { directions(range).shortFactor }
}
