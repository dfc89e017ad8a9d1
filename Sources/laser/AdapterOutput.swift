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
      if reduction.site.expert != nil {
        throw InputError(
          "\(reduction.site): transformers keeps the experts of a layer in one parameter, to which adapters of single "
            + "experts do not fit; leave out '--lora'")
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
    guard let base = reducer.base?.checkpoint else { return }
    let model = reducer.model.checkpoint
    let reduced = Set(reductions.map { reducer.model.reference(of: $0.site).tensor })
    let others =
      model.tensorNames.filter { !reduced.contains($0) && !model.holdsSame($0, as: base) }
      + base.tensorNames.filter { !model.tensorNames.contains($0) }
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
    for (reduction, decomposition) in zip(reductions, reducer.decompositions(of: reductions.map(\.site))) {
      let factors =
        switch side {
        case .model: try decomposition.get().factors(ofChangeBy: reduction.filter, type: .float32)
        case .base: try decomposition.get().factors(by: reduction.filter, type: .float32)
        }
      guard let name = AdapterFolder.module(ofTensor: reducer.model.reference(of: reduction.site).tensor) else {
        continue
      }
      modules.append(.init(name: name, factors: try factors.spilled(to: scratchFolder)))
      console.progress("Factoring", Double(modules.count) / Double(reductions.count))
    }
    for model in [reducer.model, reducer.base].compactMap(\.self) { try model.checkpoint.refuseChange() }
    try folder.write(modules, base: card.adapted, texts: ["README.md": card.readme(existing: nil)])
    return Result(
      modules: modules.count, largestRank: modules.map(\.factors.rank).max() ?? 0,
      bytes: modules.reduce(0) { $0 + $1.factors.byteCount })
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
