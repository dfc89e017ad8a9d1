internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction

/// The memory that a search takes: what `ScorerMemory` divides, as far as there is something to put into it.
struct MemoryEstimate {
  /// Bytes at most.
  let peak: Int
  let streams: Bool
  /// Bytes of states that find no place in memory.
  let spilledStates: Int
  /// Bytes of the decompositions that are kept on disk.
  let decompositions: Int
  /// The least that is enough; nil if it could not be found.
  let least: Int?
  /// From here on, weights and states stay in memory.
  let comfortable: Int
  /// Tokens whose gradients may be computed at once.
  let gradientLimit: Int

  /// - Throws: `MemoryPlan.TooSmall` if the memory is not enough.
  init(_ search: Search, memory: Int) throws {
    let (model, text) = (search.model, search.text)
    let isFilters = search.settings.strategy == .filters
    let layers = Dictionary(grouping: search.sites, by: \.layer)
    let directions = DirectionPass(search.reducer, memory: memory / 4, scratchFolder: ".")
    let others =
      isFilters
      ? layers.values.map { directions.byteCount(ofLayer: $0) }.max() ?? 0
      : search.reducer.byteCount(of: search.sites)
    func plan(_ memory: Int) throws(MemoryPlan.TooSmall) -> ScorerMemory {
      try ScorerMemory(model, text, memory: memory, others: others)
    }
    let chosen: ScorerMemory
    do { chosen = try plan(memory) } catch {
      chosen = try ScorerMemory(model, text, memory: memory, others: search.reducer.byteCount(of: search.sites))
    }
    let tokens = text.windows.reduce(0) { $0 + $1.tokens.count }
    let hidden = model.configuration.hiddenSize * MemoryLayout<Float>.stride
    let lowest = layers.keys.min() ?? 0
    let inputs = tokens * hidden * (model.configuration.layerCount - lowest)
    let atOnce = min(tokens, chosen.limit) * (model.bytesOfStep + model.bytesOfStage + hidden)
    let stage = isFilters ? 0 : tokens * model.bytesOfStage
    let gradients =
      isFilters
      ? min(tokens, chosen.gradientLimit) * model.bytesOfGradient + model.bytesOfGradientWeights + tokens * hidden : 0
    let needed = inputs + max(atOnce + stage, gradients)
    let resident = memory - chosen.plan.states
    peak = resident + min(chosen.plan.states, needed)
    streams = chosen.plan.streams
    gradientLimit = max(1, chosen.gradientLimit)
    decompositions = search.sites.reduce(0) {
      let rank = search.reducer.fullRank(of: $1)
      return $0 + rank * rank * MemoryLayout<Double>.stride
    }
    spilledStates = max(0, inputs - chosen.inputs) + max(0, stage - chosen.layer)
    do {
      _ = try plan(1)
      least = nil
    } catch { least = error.least }
    // The smallest memory under which nothing streams and all states are kept: found by halving.
    var (low, high) = (1 << 20, 1 << 50)
    while high - low > 1 << 20 {
      let middle = low + (high - low) / 2
      let isEnough = (try? plan(middle)).map { !$0.plan.streams && $0.inputs >= inputs } ?? false
      if isEnough { high = middle } else { low = middle }
    }
    comfortable = high
  }
}
