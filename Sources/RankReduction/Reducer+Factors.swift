package import Checkpoints
package import Models
package import Tensors

/// How a reduced matrix is stored as two thin ones.
package enum FactoredForm: Sendable {
  /// It is their product.
  case product
  /// It is a matrix that several experts share, plus their product.
  case addedToBase(Base)

  package struct Base: Sendable {
    /// The tensor that a copy stores it as.
    package let name: String
    package let matrix: StoredMatrix
  }
}

extension Reducer {
  /// Which of some reductions' matrices are smaller as two factors. Each must be a tensor of its own, or one that an expert
  /// of a stack may have.
  ///
  /// Σ fᵢ σᵢ uᵢ vᵢᵀ is smaller where its rank r is low, r (m + n) < m n, unless it is scaled as a whole. W_base + Σ … has no
  /// low rank, but experts that are compared with one dense base can share its matrix: all of them together are smaller
  /// where what their factors save is more than the base.
  package func factoredForms(of reductions: [Reduction]) throws -> [Site: FactoredForm] {
    let thin = reductions.filter { reduction in
      let reference = model.reference(of: reduction.site)
      return (reference.isWholeMatrix || separable[reference] != nil)
        && (!reduction.filter.isScale || reduction.rank == 0)
        && LowRankFactors.saveNumbers(rank: reduction.rank, rows: reference.rows, columns: reference.columns)
    }
    guard let base else {
      return Dictionary(thin.map { ($0.site, .product) }) { first, _ in first }
    }
    var shared: [TensorReference: [Reduction]] = [:]
    for reduction in thin { shared[try baseReference(reduction.site, in: base), default: []].append(reduction) }
    var forms: [Site: FactoredForm] = [:]
    for (reference, group) in shared {
      let names = Set(group.map { FactoredFormat.baseName(of: ownTensor(of: $0.site)) })
      // A checkpoint that has such a base already keeps it: its other experts are made of that one.
      guard names.count == 1, let name = names.first ?? nil, !model.checkpoint.contains(name) else { continue }
      let matrix = try base.stored(reference)
      let saved = try group.reduce(0) { try $0 + bytesSaved(by: $1) }
      guard matrix.type.blockSize == 1, saved > matrix.region.byteCount else { continue }
      for reduction in group { forms[reduction.site] = .addedToBase(.init(name: name, matrix: matrix)) }
    }
    return forms
  }

  /// Whether a matrix of stacked experts may be a tensor of its own.
  package func isSeparable(_ reference: TensorReference) -> Bool { separable[reference] != nil }

  /// Bytes that a matrix takes more than its two factors.
  package func bytesSaved(by reduction: Reduction) throws -> Int {
    let reference = model.reference(of: reduction.site)
    let type = try model.stored(reference).type
    return type.byteCount(
      of: reference.rows * reference.columns - reduction.rank * (reference.rows + reference.columns))
  }

  /// The tensor of its own that a site's matrix is, or would be.
  private func ownTensor(of site: Site) -> String {
    let reference = model.reference(of: site)
    return separable[reference]?.tensor ?? reference.tensor
  }
}
