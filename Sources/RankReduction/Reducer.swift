internal import Checkpoints
package import Models
package import Processes
package import Tensors
package import Wording

/// Decomposes a model's matrices, or their differences to a base model, and makes the matrices of filters.
package struct Reducer: Sendable {
  package let model: Model
  package let base: Model?
  /// Whether random directions are dropped instead of the weakest, as many: what a search would find by chance.
  package let isControl: Bool
  /// Where matrices of stacked experts would be as tensors of their own.
  let separable: [TensorReference: TensorReference]
  /// Where decompositions are kept once they are made; nil where each is used once.
  private var store: DecompositionStore?
  /// Among whom the sites are divided.
  package private(set) var division = SiteDivision()

  package var kind: ReductionKind { base == nil ? .weights : .delta }

  /// - Throws: `InputError` if the base has another shape than the model.
  package init(_ model: Model, base: Model?, isControl: Bool = false) throws(InputError) {
    self.model = model
    self.base = base
    self.isControl = isControl
    separable = model.separateExperts
    guard let base else { return }
    let (a, b) = (model.configuration, base.configuration)
    let comparisons = [("layers", a.layerCount, b.layerCount), ("hidden size", a.hiddenSize, b.hiddenSize)]
    for (what, own, other) in comparisons where own != other {
      throw InputError("the base has another shape than the model: \(what) \(other) against \(own)")
    }
    if let experts = b.mixture?.expertCount, experts != a.mixture?.expertCount {
      throw InputError(
        "the base has \(experts) experts but the model \(a.expertCount); give a dense base or its like")
    }
  }

  /// The matrix of the base that stands where a site's does. A dense layer has one for all experts.
  ///
  /// - Throws: `InputError` if the base has none of that shape.
  func baseReference(_ site: Site, in base: Model) throws(InputError) -> TensorReference {
    let isDense = base.layout.layers[site.layer].router == nil
    let counterpart = Site(layer: site.layer, expert: isDense ? nil : site.expert, role: site.role)
    guard let reference = base.referenceIfPresent(of: counterpart) else {
      throw InputError("\(site): the base has no such matrix, so its difference to the base cannot be reduced")
    }
    if site.role == .query || site.role == .key,
      base.configuration.rotary.isInterleaved != model.configuration.rotary.isInterleaved
    {
      throw InputError(
        "\(site): the base has these rows in another order (GGUF against Hugging Face); give both in one format")
    }
    let own = model.reference(of: site)
    guard reference.rows == own.rows, reference.columns == own.columns else {
      throw InputError(
        "\(site): the base has another shape than the model: \(reference.rows) × \(reference.columns) against "
          + "\(own.rows) × \(own.columns)")
    }
    return reference
  }

  /// - Throws: `InputError` if a site cannot be reduced relative to the base, or has no type of its own to be written in.
  package func check(_ site: Site) throws(InputError) {
    if let base { _ = try baseReference(site, in: base) }
    let reference = model.reference(of: site)
    if !reference.isWholeMatrix, let type = try? model.stored(reference).type, type.isReadOnly {
      throw InputError(
        "\(site): it is rows of \(reference.tensor), whose type \(type.rawValue) is only read; convert the model first, as "
          + "with 'laser convert --type q4_k_m --to gguf'")
    }
  }

  /// - Throws: `InputError` for reductions of the other kind, and filters that their matrices cannot pass.
  package func check(_ reductions: [Reduction]) throws(InputError) {
    for reduction in reductions {
      guard reduction.kind == kind else {
        throw InputError(
          kind == .delta
            ? "\(reduction.site) is reduced by itself in the plan: apply it without a base"
            : "\(reduction.site) is reduced relative to a base in the plan: give it with --base")
      }
      try check(reduction.site)
      do {
        try reduction.filter.check(fullRank: fullRank(of: reduction.site))
      } catch { throw InputError("\(reduction.site): \(error)") }
    }
  }

  package func fullRank(of site: Site) -> Int {
    let reference = model.reference(of: site)
    return min(reference.rows, reference.columns)
  }

  /// Matrices from this full rank on are decomposed one by one with all threads; smaller ones side by side, one
  /// thread each.
  private static let largeRank = 1024

  /// The same, with its decompositions kept on disk from now on, so that none is made twice.
  ///
  /// - Parameter folder: On a disk with room for them: 8 · (full rank)² bytes each. They take half of what is free
  ///   there at most, all processes together; beyond that decompositions are made anew.
  package func keepingDecompositions(in folder: String) -> Reducer {
    var result = self
    result.store = DecompositionStore(in: folder, share: 2 * division.group.count)
    return result
  }

  /// The same with the work divided among processes, each of which gets all that it asks for: all must ask for the same.
  package func dividing(among processes: ProcessGroup) -> Reducer {
    var result = self
    result.division = SiteDivision(among: processes, sites: model.sites)
    return result
  }

  /// The decomposition of a site, by this process alone.
  package func decompose(_ site: Site) throws -> SiteDecomposition {
    let numbers = try numbers(of: site)
    if let (decomposition, spectrum) = store?.decomposition(of: site) {
      return SiteDecomposition(numbers, kind: kind, spectrum: spectrum, decomposition: decomposition)
    }
    func decomposition() throws -> SiteDecomposition {
      try SiteDecomposition(numbers, kind: kind, controlSeed: isControl ? seed(of: site) : nil)
    }
    let made =
      fullRank(of: site) < Self.largeRank ? try decomposition() : try Parallelism.wholeMachine(decomposition)
    store?.keep(made)
    return made
  }

  private func numbers(of site: Site) throws -> ReducedNumbers {
    ReducedNumbers(
      site: site, stored: try StoredNumbers(model: model, reference: model.reference(of: site)),
      base: try base.map { try StoredNumbers(model: $0, reference: try baseReference(site, in: $0)) })
  }

  /// s W, or W_base + s (W − W_base), rounded to a type or to the one that the checkpoint stores: what a filter with
  /// one factor makes, without a decomposition.
  package func scaled(_ site: Site, by factor: Float, type: ElementType? = nil) throws -> StoredMatrix {
    try numbers(of: site).scaled(by: factor, type: type)
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
      // The Gram matrix, which becomes the vectors, and LAPACK's workspace of two more; in each worker a part, the
      // base's, the result and coordinates; the matrix as stored, reduced, and the ones before and after it.
      // One more arrives from another process.
      let decomposition = (division.isAlone ? 4 : 5) * double * side * side
      return (side < Self.largeRank ? 2 * Parallelism.threads : 1) * decomposition
        + Parallelism.threads * 4 * double * part + 4 * 2 * side * length
    }.max() ?? 0
  }

  /// Sites that are worked on side by side: a few small ones, large ones one at a time with all threads; as many in each
  /// process.
  private func blocks(of sites: [Site]) -> [Range<Int>] {
    let isLarge = sites.contains { fullRank(of: $0) >= Self.largeRank }
    return division.blocks(of: sites, size: isLarge ? 1 : 2 * Parallelism.threads)
  }

  /// The decompositions of some sites, in order, as they are asked for: a few small ones ahead, large ones one at a
  /// time.
  package func decompositions(of sites: [Site]) -> some Sequence<Result<SiteDecomposition, any Error>> {
    blocks(of: sites).lazy.flatMap { block in
      let own = Parallelism.map(sites[block].filter(division.isOwn)) { site in Result { try decompose(site) } }
      var next = own.makeIterator()
      return sites[block].lazy.map { site in
        Result {
          let made = division.isOwn(site) ? try next.next()?.get() : nil
          return try division.isAlone ? made ?? decompose(site) : received(made, of: site)
        }
      }
    }
  }

  /// A site's decomposition in every process, from the one that made it.
  private func received(_ made: SiteDecomposition?, of site: Site) throws -> SiteDecomposition {
    let (decomposition, spectrum) = division.shared(made.map { ($0.decomposition, $0.spectrum) }, of: site) {
      let reference = model.reference(of: site)
      return (reference.rows, reference.columns)
    }
    return try made
      ?? SiteDecomposition(numbers(of: site), kind: kind, spectrum: spectrum, decomposition: decomposition)
  }

  /// Makes the matrices of some reductions that were checked, in order.
  ///
  /// - Parameters:
  ///   - factored: Whether those that are smaller so are made of two factors: see `factoredForms`.
  ///   - checkpoint: Called between matrices, or a few small ones; may throw to end the work.
  ///   - body: Given each as soon as it is made.
  package func forEachReduced(
    _ reductions: [Reduction], type: ElementType? = nil, factored: Bool = false, checkpoint: () throws -> Void = {},
    _ body: (Reduction, StoredMatrix) throws -> Void
  ) throws {
    let forms = try factored ? factoredForms(of: reductions) : [:]
    for block in blocks(of: reductions.map(\.site)) {
      try checkpoint()
      let own = Parallelism.map(reductions[block].filter { division.isOwn($0.site) }) { reduction in
        Result { try reduced(reduction, type: type, factored: forms[reduction.site] != nil) }
      }
      var next = own.makeIterator()
      for reduction in reductions[block] {
        let made = division.isOwn(reduction.site) ? try next.next()?.get() : nil
        let matrix = try division.shared(made, of: reduction.site)
        guard case .addedToBase(let base) = forms[reduction.site], let factors = matrix.factors else {
          try body(reduction, matrix)
          continue
        }
        try body(reduction, StoredMatrix(factors.added(to: base.matrix)))
      }
    }
  }

  /// The model with every reduction of a list made, each from the model's own weights.
  package func applying(
    _ reductions: [Reduction], scratchFolder: String? = nil, progress: (Int) throws -> Void = { _ in }
  ) throws -> Model {
    var result = model
    for (site, matrix) in try reduced(reductions, scratchFolder: scratchFolder, progress: progress) {
      result = result.replacing(site, by: matrix)
    }
    return result
  }

  /// - Parameters:
  ///   - type: What the matrices are rounded to; nil for the types that the checkpoint stores.
  ///   - factored: Whether matrices are made of two factors where these hold fewer numbers.
  ///   - scratchFolder: Where the matrices lie on disk until they are used; nil to have them in memory.
  /// - Throws: `InputError` too for a matrix that its type cannot hold.
  package func reduced(
    _ reductions: [Reduction], type: ElementType? = nil, factored: Bool = false, scratchFolder: String? = nil,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [(site: Site, matrix: StoredMatrix)] {
    try check(reductions)
    var result: [(site: Site, matrix: StoredMatrix)] = []
    try forEachReduced(reductions, type: type, factored: factored) { reduction, matrix in
      try refuseOverflow(matrix, at: reduction.site)
      result.append((reduction.site, try scratchFolder.map { try matrix.spilled(to: $0) } ?? matrix))
      try progress(result.count)
    }
    return result
  }

  /// Of all types F16 alone has numbers so small that a reduced matrix may leave their range; of factors, their product.
  private func refuseOverflow(_ matrix: StoredMatrix, at site: Site) throws(InputError) {
    guard matrix.type == .float16 else { return }
    do { _ = try matrix.decoded() } catch {
      throw InputError(
        "\(site): reduced, it has a number beyond F16's 65504; leave it out of the plan, or use a copy of the model in BF16"
      )
    }
    if matrix.factors != nil { matrix.release(rows: 0..<matrix.rows) }
  }

  /// The matrix of one reduction that was checked.
  package func reduced(_ reduction: Reduction, type: ElementType? = nil) throws -> StoredMatrix {
    try reduced(reduction, type: type, factored: false)
  }

  /// - Parameter factored: Whether it is two factors instead, without the base that they may be added to.
  private func reduced(_ reduction: Reduction, type: ElementType?, factored: Bool) throws -> StoredMatrix {
    if factored { return StoredMatrix(try factors(of: reduction, type: type)) }
    if case .scale(let factor, _) = reduction.filter { return try scaled(reduction.site, by: factor, type: type) }
    return try decompose(reduction.site).reduced(by: reduction.filter, type: type)
  }

  /// What a filter leaves of W or W − W_base, as two factors.
  private func factors(of reduction: Reduction, type: ElementType?) throws -> LowRankFactors {
    guard reduction.rank > 0 else {
      let reference = model.reference(of: reduction.site)
      let type = try type ?? model.stored(reference).type.typeOfChanges
      return .none(rows: reference.rows, columns: reference.columns, type: type)
    }
    return try decompose(reduction.site).factors(by: reduction.filter, type: type)
  }
}
