internal import Checkpoints
package import Inference
package import Tensors

/// Decomposes a model's matrices, or their differences to a base model, and truncates them.
package struct Reducer: Sendable {
  package let model: Model
  package let base: Model?
  /// Whether random directions are dropped instead of the weakest, as many: what a search would find by chance.
  package let isControl: Bool

  package var kind: ReductionKind { base == nil ? .weights : .delta }

  /// - Throws: `ReductionError` if the base has another shape than the model.
  package init(_ model: Model, base: Model?, isControl: Bool = false) throws(ReductionError) {
    self.model = model
    self.base = base
    self.isControl = isControl
    guard let base else { return }
    let (a, b) = (model.configuration, base.configuration)
    let comparisons = [("layers", a.layerCount, b.layerCount), ("hidden size", a.hiddenSize, b.hiddenSize)]
    for (what, own, other) in comparisons where own != other {
      throw ReductionError("the base has another shape than the model: \(what) \(other) against \(own)")
    }
    if let experts = b.mixture?.expertCount, experts != a.mixture?.expertCount {
      throw ReductionError(
        "the base has \(experts) experts but the model \(a.expertCount); give a dense base or its like")
    }
  }

  /// The matrix of the base that stands where a site's does. A dense layer has one for all experts.
  ///
  /// - Throws: `ReductionError` if the base has none of that shape.
  private func baseReference(_ site: Site, in base: Model) throws(ReductionError) -> TensorReference {
    let isDense = base.layout.layers[site.layer].router == nil
    let counterpart = Site(layer: site.layer, expert: isDense ? nil : site.expert, role: site.role)
    guard let reference = base.referenceIfPresent(of: counterpart) else {
      throw ReductionError("\(site): the base has no such matrix, so its difference to the base cannot be reduced")
    }
    if site.role == .query || site.role == .key,
      base.configuration.rotary.pairsNeighbours != model.configuration.rotary.pairsNeighbours
    {
      throw ReductionError(
        "\(site): the base has these rows in another order (GGUF against Hugging Face); give both in one format")
    }
    let own = model.reference(of: site)
    guard reference.rows == own.rows, reference.columns == own.columns else {
      throw ReductionError(
        "\(site): the base has another shape than the model: \(reference.rows) × \(reference.columns) against "
          + "\(own.rows) × \(own.columns)")
    }
    return reference
  }

  /// - Throws: `ReductionError` if a site cannot be reduced relative to the base.
  package func check(_ site: Site) throws(ReductionError) {
    if let base { _ = try baseReference(site, in: base) }
  }

  /// - Throws: `ReductionError` for reductions of the other kind, and ranks that their matrices do not have.
  package func check(_ reductions: [Reduction]) throws(ReductionError) {
    for reduction in reductions {
      guard reduction.kind == kind else {
        throw ReductionError(
          kind == .delta
            ? "\(reduction.site) is reduced by itself in the plan: apply it without a base"
            : "\(reduction.site) is reduced relative to a base in the plan: give it with --base")
      }
      try check(reduction.site)
      guard (0...fullRank(of: reduction.site)).contains(reduction.rank) else {
        throw ReductionError(
          "\(reduction.site): rank \(reduction.rank) is not from 0 to the full rank \(fullRank(of: reduction.site)) of the matrix"
        )
      }
    }
  }

  package func fullRank(of site: Site) -> Int {
    let reference = model.reference(of: site)
    return min(reference.rows, reference.columns)
  }

  /// Matrices from this full rank on are decomposed one by one with all threads; smaller ones side by side, one thread each.
  private static let largeRank = 1024

  package func decompose(_ site: Site) throws -> SiteDecomposition {
    let baseNumbers = try base.map { try StoredNumbers(model: $0, reference: try baseReference(site, in: $0)) }
    func decomposition() throws -> SiteDecomposition {
      try SiteDecomposition(
        site: site, kind: kind, stored: try StoredNumbers(model: model, reference: model.reference(of: site)),
        base: baseNumbers, controlSeed: isControl ? seed(of: site) : nil)
    }
    return fullRank(of: site) < Self.largeRank ? try decomposition() : try Parallelism.wholeMachine(decomposition)
  }

  /// Each site has random directions of its own, the same ones in every search.
  private func seed(of site: Site) -> UInt64 {
    let role = Role.allCases.firstIndex(of: site.role) ?? 0
    return UInt64(site.layer) << 40 | UInt64((site.expert ?? -1) + 1) << 8 | UInt64(role)
  }

  /// Bytes that decomposing and reducing these sites takes at once.
  package func byteCount(of sites: [Site]) -> Int {
    let double = MemoryLayout<Double>.stride
    return sites.map { site in
      let reference = model.reference(of: site)
      let (side, length) = (fullRank(of: site), max(reference.rows, reference.columns))
      let part =
        SingularValueDecomposition.parts(rows: reference.rows, columns: reference.columns)
        .first.map { $0.count * side } ?? 0
      // The Gram matrix, which becomes the vectors, and LAPACK's workspace of two more; in each worker a part, the base's,
      // the result and coordinates; the matrix as stored, reduced, and the ones before and after it.
      let decomposition = 4 * double * side * side
      return (side < Self.largeRank ? 2 * Parallelism.threads : 1) * decomposition
        + Parallelism.threads * 4 * double * part + 4 * 2 * side * length
    }.max() ?? 0
  }

  /// The decompositions of some sites, in order, as they are asked for: a few small ones ahead, large ones one at a time.
  package func decompositions(of sites: [Site]) -> some Sequence<Result<SiteDecomposition, any Error>> {
    let isLarge = sites.contains { fullRank(of: $0) >= Self.largeRank }
    return Parallelism.blocks(of: sites.count, size: isLarge ? 1 : 2 * Parallelism.threads).lazy.flatMap { block in
      Parallelism.map(Array(sites[block])) { site in Result { try decompose(site) } }
    }
  }

  /// The model with every reduction of a list made, each from the model's own weights.
  package func applying(_ reductions: [Reduction], scratchFolder: String? = nil) throws -> Model {
    var result = model
    for (site, matrix) in try reduced(reductions, scratchFolder: scratchFolder) {
      result = result.replacing(site, by: matrix)
    }
    return result
  }

  /// - Parameters:
  ///   - type: What the matrices are rounded to; nil for the types that the checkpoint stores.
  ///   - factored: Whether matrices are made of two factors where these hold fewer numbers.
  ///   - scratchFolder: Where the matrices lie on disk until they are used; nil to have them in memory.
  package func reduced(
    _ reductions: [Reduction], type: ElementType? = nil, factored: Bool = false, scratchFolder: String? = nil,
    progress: (Int) -> Void = { _ in }
  ) throws -> [(site: Site, matrix: StoredMatrix)] {
    try check(reductions)
    var result: [(site: Site, matrix: StoredMatrix)] = []
    for (reduction, decomposition) in zip(reductions, decompositions(of: reductions.map(\.site))) {
      let matrix =
        factored && canBeFactored(reduction)
        ? StoredMatrix(try decomposition.get().factors(along: 0..<reduction.rank, type: type))
        : try decomposition.get().reduced(to: reduction.rank, type: type)
      result.append((reduction.site, try scratchFolder.map { try matrix.spilled(to: $0) } ?? matrix))
      progress(result.count)
    }
    return result
  }

  /// Whether a reduced matrix can be two factors and is smaller so: a tensor of its own, not rows of a larger one, of low
  /// rank itself, not added to a base.
  package func canBeFactored(_ reduction: Reduction) -> Bool {
    let reference = model.reference(of: reduction.site)
    return reduction.kind == .weights && reference.isWholeMatrix
      && LowRankFactors.saveNumbers(rank: reduction.rank, rows: reference.rows, columns: reference.columns)
  }
}

/// One site's decomposition, from which every rank is made.
///
/// The matrix itself stays as it is stored and is decoded part by part, for each rank anew.
package struct SiteDecomposition: Sendable {
  package let site: Site
  package let kind: ReductionKind
  private let decomposition: SingularValueDecomposition
  private let stored: StoredNumbers
  private let base: StoredNumbers?

  init(
    site: Site, kind: ReductionKind, stored: StoredNumbers, base: StoredNumbers?, controlSeed: UInt64?
  ) throws {
    self.site = site
    self.kind = kind
    self.base = base
    self.stored = stored
    defer {
      stored.release()
      base?.release()
    }
    do {
      let (rows, columns) = (stored.reference.rows, stored.reference.columns)
      let ordered = try SingularValueDecomposition(
        rows: rows, columns: columns, parts: SingularValueDecomposition.parts(rows: rows, columns: columns)
      ) { part in
        let weights = try stored.part(part)
        return try base.map { weights - (try $0.part(part)) } ?? weights
      }
      decomposition = try controlSeed.map { try ordered.withRandomDirections(seed: $0) } ?? ordered
    } catch let failure as SingularValueDecomposition.Failure {
      throw ReductionError("\(site): \(failure)")
    }
  }

  package var spectrum: Spectrum {
    Spectrum(
      singularValues: decomposition.singularValues, rows: decomposition.rows, columns: decomposition.columns)
  }

  package var fullRank: Int { decomposition.fullRank }

  /// W_r, or W_base + (W − W_base)_r, rounded to a type, or to the one that the checkpoint stores: then, at full rank, the
  /// very bytes of W.
  package func reduced(to rank: Int, type: ElementType? = nil) throws -> StoredMatrix {
    let original = stored.matrix
    let type = type ?? original.type
    if rank == fullRank, type == original.type { return original }
    defer {
      stored.release()
      base?.release()
    }
    guard original.columns.isMultiple(of: type.blockSize) else {
      throw ReductionError("\(site): its rows of \(original.columns) numbers are no whole blocks of \(type.rawValue)")
    }
    return try StoredMatrix(
      type: type, rows: original.rows, columns: original.columns,
      parts: SingularValueDecomposition.parts(rows: original.rows, columns: original.columns)
    ) { part in
      let weights = try stored.part(part)
      guard let base = try base?.part(part) else { return decomposition.truncated(weights, rank: rank) }
      return base + decomposition.truncated(weights - base, rank: rank)
    }
  }

  /// What some directions add to the matrix that was decomposed, W or W − W_base, as U √σ · √σ Vᵀ; times a sign.
  package func factors(along range: Range<Int>, sign: Double = 1, type: ElementType? = nil) throws -> LowRankFactors {
    defer {
      stored.release()
      base?.release()
    }
    let (rows, columns) = (decomposition.rows, decomposition.columns)
    let isTall = rows >= columns
    let type = type ?? stored.matrix.type
    let long = try StoredMatrix(
      type: type, rows: isTall ? rows : range.count, columns: isTall ? range.count : columns,
      parts: SingularValueDecomposition.parts(rows: rows, columns: columns)
    ) { part in
      let weights = try stored.part(part)
      let matrix = try base.map { weights - (try $0.part(part)) } ?? weights
      return decomposition.longFactor(of: matrix, along: range)
    }
    let short = decomposition.shortFactor(along: range)
    let signed = DoubleMatrix(rows: short.rows, columns: short.columns, elements: short.elements.map { sign * $0 })
    let other = StoredMatrix(rounding: signed, to: type)
    return LowRankFactors(left: isTall ? long : other, right: isTall ? other : long)
  }
}

/// A tensor of a model, decoded where it is needed.
struct StoredNumbers: Sendable {
  let model: Model
  let reference: TensorReference
  let matrix: StoredMatrix

  init(model: Model, reference: TensorReference) throws {
    self.model = model
    self.reference = reference
    matrix = try model.stored(reference)
  }

  /// Gives back the memory of its pages: it is not needed again soon.
  func release() { matrix.release(rows: 0..<reference.rows) }

  /// Some of a tall matrix's rows, or of a wide one's columns.
  func part(_ range: Range<Int>) throws -> DoubleMatrix {
    let isTall = reference.rows >= reference.columns
    return try model.doubles(
      of: matrix, at: reference, rows: isTall ? range : 0..<reference.rows,
      columns: isTall ? 0..<reference.columns : range)
  }
}
