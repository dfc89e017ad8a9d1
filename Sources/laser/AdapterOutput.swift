internal import Checkpoints
internal import Models
internal import RankReduction
internal import Reports
internal import Tensors
internal import Wording

/// A plan as an adapter for PEFT: for each reduced matrix what was added to it, W_f − W, as two thin factors.
///
/// The adapter's rank is the number of directions whose factor is not 1: thin only where nearly all are kept. Seen from
/// the base of a fine-tune, W_f − W_base has those whose factor is not 0.
struct AdapterOutput {
  private let reducer: Reducer
  private let reductions: [Reduction]
  private let side: Side

  /// What the adapter is for.
  enum Side {
    case model, base
  }

  /// - Throws: `InputError` if the plan makes no adapter, or one with no fewer numbers than the matrices.
  init(_ reductions: [Reduction], of reducer: Reducer, for side: Side) throws {
    self.reducer = reducer
    self.side = side
    try reducer.check(reductions)
    try Self.refuseUnfit(reductions, of: reducer, for: side)
    self.reductions = reductions.filter { reduction in
      Self.rank(reduction, of: reducer, for: side) > 0
    }
    guard !self.reductions.isEmpty else {
      throw InputError("the plan changes no matrix, so that an adapter would be empty")
    }
    if side == .base { try Self.refuseOtherDifferences(reductions, of: reducer) }
  }

  /// Of how many directions the adapter consists.
  private static func rank(_ reduction: Reduction, of reducer: Reducer, for side: Side) -> Int {
    switch side {
    case .model: reduction.filter.changedCount(fullRank: reducer.fullRank(of: reduction.site))
    case .base: reduction.rank
    }
  }

  private static func refuseUnfit(_ reductions: [Reduction], of reducer: Reducer, for side: Side) throws {
    let model = reducer.model
    if model.checkpoint.gguf != nil {
      throw InputError(
        "\(model.checkpoint.path): an adapter is for a folder with config.json and safetensors, not for GGUF")
    }
    if model.isPartOfAnother {
      throw InputError(
        "\(model.checkpoint.path): programs have other names for the modules of a model that reads images too; leave out "
          + "'--lora'")
    }
    for checkpoint in [model.checkpoint, side == .base ? reducer.base?.checkpoint : nil].compactMap(\.self)
    where checkpoint.isFactored {
      throw InputError(
        "\(checkpoint.path): its matrices are stored as factors, which programs with adapters do not read; make it dense "
          + "first with 'laser apply'")
    }
    if side == .base, reducer.base == nil {
      throw InputError("'--for-base' needs a plan whose reductions are relative to a base")
    }
    var tooLarge: [(reduction: Reduction, rank: Int, largest: Int)] = []
    for reduction in reductions {
      let reference = model.reference(of: reduction.site)
      guard reference.part == nil else {
        throw InputError(
          "\(reduction.site): \(reference.tensor) holds it transposed, or by turns with another matrix, which adapters do "
            + "not know; leave out '--lora'")
      }
      if let place = ExpertPlace(reduction.site, of: model) {
        // Gate and up projection of an expert share a rank.
        let rank = reductions.filter {
          $0.site.expert == reduction.site.expert && ExpertPlace($0.site, of: model)?.name == place.name
        }.reduce(0) { $0 + Self.rank($1, of: reducer, for: side) }
        let largest = LowRankFactors.largestSavingRank(rows: place.rows, columns: place.columns)
        if rank > largest { tooLarge.append((reduction, rank, largest)) }
        continue
      }
      guard reference.isWholeMatrix, AdapterFolder.module(ofTensor: reference.tensor) != nil else {
        throw InputError(
          "\(reduction.site): it is rows of \(reference.tensor), no module of its own that an adapter could name; leave "
            + "out '--lora'")
      }
      let rank = rank(reduction, of: reducer, for: side)
      let largest = LowRankFactors.largestSavingRank(rows: reference.rows, columns: reference.columns)
      if rank > largest { tooLarge.append((reduction, rank, largest)) }
    }
    guard let first = tooLarge.first else { return }
    throw InputError(
      "as an adapter, \(tooLarge.count) of \(reductions.count) matrices would be no smaller than themselves: of "
        + "\(first.reduction.site) \(first.rank) directions \(side == .model ? "are dropped" : "are kept"), and up to "
        + "\(first.largest) pay; leave out '--lora'")
  }

  /// An adapter holds what the plan reduces. Of a fine-tune that differs from its base elsewhere too, that is not all.
  private static func refuseOtherDifferences(_ reductions: [Reduction], of reducer: Reducer) throws {
    guard let base = reducer.base else { return }
    let model = reducer.model
    let reduced = Set(reductions.map(\.site))
    // Matrices are compared by what they are, since experts may be stacked in one of the two; all else by names.
    var own: Set<String> = []
    var its: Set<String> = []
    var others: [String] = []
    for site in model.sites {
      let reference = model.reference(of: site)
      own.insert(reference.tensor)
      let counterpart = base.referenceIfPresent(of: site)
      if let counterpart { its.insert(counterpart.tensor) }
      guard !reduced.contains(site) else { continue }
      let isSame = try counterpart.map { try model.stored(reference).holdsSame(as: base.stored($0)) } ?? false
      if !isSame { others.append(reference.name) }
    }
    others += model.checkpoint.tensorNames.filter {
      !own.contains($0) && !model.checkpoint.holdsSame($0, as: base.checkpoint)
    }
    others += base.checkpoint.tensorNames.filter { !its.contains($0) && !model.checkpoint.contains($0) }
    guard let first = others.first else { return }
    throw InputError(
      "\(others.count == 1 ? "1 tensor" : "\(others.count) tensors") that the plan does not reduce "
        + "\(others.count == 1 ? "differs" : "differ") from the base's (\(first)), and an adapter for the base would leave "
        + "that out; leave out '--for-base'")
  }

  func write(
    _ folder: AdapterFolder, card: ModelCard, scratchFolder: String, _ console: Console
  ) throws -> Result {
    var modules: [AdapterFolder.Module] = []
    var changes: [ExpertPlace: [AdapterFolder.Parameter.Change]] = [:]
    var done = 0
    for (reduction, decomposition) in zip(reductions, reducer.decompositions(of: reductions.map(\.site))) {
      let factors =
        switch side {
        case .model: try decomposition.get().factors(ofChangeBy: reduction.filter, type: .float32)
        case .base: try decomposition.get().factors(by: reduction.filter, type: .float32)
        }
      let spilled = try factors.spilled(to: scratchFolder)
      if let place = ExpertPlace(reduction.site, of: reducer.model), let expert = reduction.site.expert {
        changes[place, default: []].append(
          .init(expert: expert, firstRow: place.firstRow(reduction.site), factors: spilled))
      } else if let name = AdapterFolder.module(ofTensor: reducer.model.reference(of: reduction.site).tensor) {
        modules.append(.init(name: name, factors: spilled))
      }
      done += 1
      console.progress("Factoring", Double(done) / Double(reductions.count))
    }
    for model in [reducer.model, reducer.base].compactMap(\.self) { try model.checkpoint.refuseChange() }
    let parameters = try changes.sorted { $0.key < $1.key }.map { place, changes in
      try AdapterFolder.Parameter(
        name: place.name, experts: reducer.model.configuration.expertCount, rows: place.rows, columns: place.columns,
        changes: changes)
    }
    try folder.write(modules, parameters, base: card.origin, texts: ["README.md": card.readme(existing: nil)])
    return Result(
      modules: modules.count + parameters.count,
      largestRank: (modules.map(\.factors.rank) + parameters.map(\.rank)).max() ?? 0,
      bytes: modules.reduce(0) { $0 + $1.factors.byteCount } + parameters.reduce(0) { $0 + $1.byteCount })
  }

  /// The parameter in which transformers 5 keeps a role's matrices of all experts of a layer, gates on top of the up
  /// projections, however a checkpoint stores them.
  private struct ExpertPlace: Hashable, Comparable {
    let layer: Int
    /// "mlp.experts"
    let module: String
    let isDown: Bool
    let rows: Int
    let columns: Int

    /// Nil for a site that belongs to no expert of a mixture.
    init?(_ site: Site, of model: Model) {
      guard site.expert != nil, let mixture = model.configuration.mixture else { return nil }
      layer = site.layer
      module = model.expertsModule
      isDown = site.role == .w2
      rows = isDown ? model.configuration.hiddenSize : 2 * mixture.intermediateSize
      columns = isDown ? mixture.intermediateSize : model.configuration.hiddenSize
    }

    var name: String { "model.layers.\(layer).\(module).\(isDown ? "down_proj" : "gate_up_proj")" }

    func firstRow(_ site: Site) -> Int { site.role == .w3 ? rows / 2 : 0 }

    static func < (a: ExpertPlace, b: ExpertPlace) -> Bool { (a.layer, a.isDown ? 1 : 0) < (b.layer, b.isDown ? 1 : 0) }
  }

  struct Result: Encodable {
    let modules: Int
    let largestRank: Int
    let bytes: Int

    var words: String {
      "\(modules) \(modules == 1 ? "module" : "modules"), ranks up to \(largestRank), \(Numbers.bytes(bytes))"
    }

    private enum CodingKeys: String, CodingKey {
      case modules, bytes
      case largestRank = "largest_rank"
    }
  }
}
