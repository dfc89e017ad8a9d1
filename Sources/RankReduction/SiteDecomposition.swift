package import Models
package import Tensors
internal import Wording

/// One site's decomposition, from which the matrix of every filter is made.
///
/// The matrix itself stays as it is stored and is decoded part by part, for each filter anew.
package struct SiteDecomposition: Sendable {
  package let site: Site
  package let kind: ReductionKind
  package let spectrum: Spectrum
  let decomposition: SingularValueDecomposition
  private let numbers: ReducedNumbers

  /// - Parameter controlSeed: Seed of random directions to have instead of the singular ones; nil for those.
  init(_ numbers: ReducedNumbers, kind: ReductionKind, controlSeed: UInt64?) throws {
    (site, self.kind, self.numbers) = (numbers.site, kind, numbers)
    defer { numbers.release() }
    var rounding = RoundingNoise(rows: numbers.rows, columns: numbers.columns)
    do {
      let ordered = try SingularValueDecomposition(
        rows: numbers.rows, columns: numbers.columns, parts: numbers.parts
      ) { part in
        let weights = try numbers.stored.part(part)
        let base = try numbers.base?.part(part)
        rounding.take(weights, numbers.stored.matrix.type, base, numbers.base?.matrix.type, at: part.lowerBound)
        return base.map { weights - $0 } ?? weights
      }
      decomposition = try controlSeed.map { try ordered.withRandomDirections(seed: $0) } ?? ordered
    } catch let failure as SingularValueDecomposition.Failure {
      throw InputError("\(site): \(failure)")
    }
    spectrum = Spectrum(
      singularValues: decomposition.singularValues, rows: numbers.rows, columns: numbers.columns,
      roundingEdge: rounding.edge)
  }

  /// One that was made before.
  init(
    _ numbers: ReducedNumbers, kind: ReductionKind, spectrum: Spectrum, decomposition: SingularValueDecomposition
  ) {
    (site, self.numbers, self.kind) = (numbers.site, numbers, kind)
    (self.spectrum, self.decomposition) = (spectrum, decomposition)
  }

  package var fullRank: Int { decomposition.fullRank }

  /// The matrix that a filter makes: Σ fᵢ σᵢ uᵢ vᵢᵀ, or W_base + Σ fᵢ σᵢ uᵢ vᵢᵀ of W − W_base, rounded to a type, or
  /// to the one that the checkpoint stores. There a filter of ones gives the very bytes of W. Bytes depend on the
  /// factors alone, not on which filter has them, but for a scale, which is exact.
  package func reduced(by filter: Filter, type: ElementType? = nil) throws -> StoredMatrix {
    if case .scale(let factor, _) = filter { return try numbers.scaled(by: factor, type: type) }
    let factors = filter.factors(fullRank: fullRank).map(Double.init)
    let prepared = decomposition.filter(factors, roundedTo: type ?? numbers.stored.matrix.type.typeOfChanges)
    return try numbers.reduced(type: type, isWhole: factors.allSatisfy { $0 == 1 }) { prepared.applied(to: $0) }
  }

  /// W_r, or W_base + (W − W_base)_r.
  package func reduced(to rank: Int, type: ElementType? = nil) throws -> StoredMatrix {
    try reduced(by: .truncation(rank: rank), type: type)
  }

  // MARK: Factors

  /// What a filter leaves of W or W − W_base, Σ fᵢ σᵢ uᵢ vᵢᵀ, as two factors U √(f σ) · √(f σ) Vᵀ of as many
  /// directions as have an fᵢ that is not 0.
  package func factors(by filter: Filter, type: ElementType? = nil) throws -> LowRankFactors {
    try factors(weights: filter.factors(fullRank: fullRank).map(Double.init), type: type)
  }

  /// What a filter adds to W, W_f − W = Σ (fᵢ − 1) σᵢ uᵢ vᵢᵀ, as two factors of as many directions as have an fᵢ that
  /// is not 1.
  package func factors(ofChangeBy filter: Filter, type: ElementType? = nil) throws -> LowRankFactors {
    try factors(weights: filter.factors(fullRank: fullRank).map { Double($0) - 1 }, type: type)
  }

  private func factors(weights: [Double], type: ElementType?) throws -> LowRankFactors {
    defer { numbers.release() }
    let (rows, columns) = (decomposition.rows, decomposition.columns)
    let isTall = rows >= columns
    let type = type ?? numbers.stored.matrix.type.typeOfChanges
    let directions = decomposition.directions(weights: weights)
    let long = try StoredMatrix(
      type: type, rows: isTall ? rows : directions.count, columns: isTall ? directions.count : columns,
      parts: numbers.parts
    ) { part in
      directions.longFactor(of: try numbers.difference(part))
    }
    let short = StoredMatrix(rounding: directions.shortFactor, to: type)
    return LowRankFactors(left: isTall ? long : short, right: isTall ? short : long)
  }

  /// U √σ and √σ Vᵀ of all directions in float32, packed for products with gradients and inputs: the longer one part
  /// by part, so that neither exists unpacked.
  func packedFactors() throws -> (left: PackedFactor, right: PackedFactor) {
    defer { numbers.release() }
    let directions = decomposition.directions(0..<fullRank)
    let isTall = decomposition.rows >= decomposition.columns
    let long = try Parallelism.map(numbers.parts) { part in
      Result {
        let factor = Matrix(rounding: directions.longFactor(of: try numbers.difference(part)))
        return (inputs: part, weights: isTall ? PackedMatrix(transposing: factor) : PackedMatrix(factor))
      }
    }.map { try $0.get() }
    let factor = Matrix(rounding: directions.shortFactor)
    let short = isTall ? PackedMatrix(factor) : PackedMatrix(transposing: factor)
    let whole = PackedFactor(parts: [(inputs: 0..<short.columns, weights: short)], directions: fullRank)
    let parts = PackedFactor(parts: long, directions: fullRank)
    return isTall ? (parts, whole) : (whole, parts)
  }
}

/// U √σ or V √σ, (directions, inputs), cut along its inputs where the sums of products begin anew anyway.
struct PackedFactor: Sendable {
  let parts: [(inputs: Range<Int>, weights: PackedMatrix)]
  let directions: Int

  /// target (rows, directions) = each row's coordinates along the directions.
  func project(_ rows: Matrix, into target: Matrix) {
    for (index, part) in parts.enumerated() {
      multiply(rows[columns: part.inputs], transposed: part.weights, adding: index > 0, into: target)
    }
  }
}

extension Matrix {
  /// The nearest numbers of float32.
  init(rounding numbers: DoubleMatrix) {
    self.init(rows: numbers.rows, columns: numbers.columns, elements: numbers.elements.map { Float($0) })
  }
}
