internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction

/// The steps of a search, counted before it is made.
struct SearchWork {
  let searchTokens: Int
  let heldOutTokens: Int
  private let judgingTokens: Int
  private let guardTokens: Int
  private let search: Search
  private let work: SiteWork
  private var groupCount: Int

  /// The share of a trial's windows that are run before it is stopped, on average: between a sixteenth for hopeless
  /// ones and all.
  private static let usualShare = 0.35

  init(_ search: Search) {
    self.search = search
    work = SiteWork(search)
    func tokens(_ text: Evaluation) -> Int { text.windows.reduce(0) { $0 + $1.tokens.count } }
    (searchTokens, heldOutTokens) = (tokens(search.text), tokens(search.heldOut))
    guardTokens = search.guarded.map(tokens) ?? 0
    judgingTokens = Folds(search.text).windows(Folds.judging).reduce(0) { $0 + search.text.windows[$1].tokens.count }
    groupCount = SiteGroup.groups(of: search.sites).count
  }

  /// Leaves out groups of sites in which nothing will be measured.
  mutating func leaveOut(_ groups: Set<String>) {
    groupCount = SiteGroup.groups(of: search.sites).count { !groups.contains($0.name) }
  }

  private var settings: SearchSettings { search.settings }
  private var isFilters: Bool { settings.strategy == .filters }
  private var layerCount: Int { search.model.configuration.layerCount }

  /// Models with filters whose matrices are made of decompositions.
  private var filterRungs: Int {
    guard settings.filter != .scale else { return 0 }
    return groupCount * settings.rounds * (settings.damping == nil ? DampingSearch.usualRungs : 1)
  }

  /// Models with one factor for each matrix.
  private var scaleRungs: Int {
    groupCount * DampingSearch.usualRungs * (settings.filter == .scale ? settings.rounds : 1)
  }

  /// Trials at most, or models that are usually measured.
  var tests: Int {
    if isFilters { return filterRungs + scaleRungs }
    guard settings.strategy.screensTrials else { return 0 }
    let all = search.sites.count * settings.rankRules.count
    if case .trials(let most)? = settings.budget { return min(all, most) }
    return all
  }

  // MARK: Disk

  /// Bytes of the run folder when the search ends, without a checkpoint.
  var runFolder: Int {
    let windows = search.text.windows.count
    let score = 45 * windows
    let ranks = search.sites.reduce(0) { $0 + search.reducer.fullRank(of: $1) }
    // A singular value is a decimal number.
    var bytes = 20 * ranks + score + 45 * (2 * windows + 4 * search.heldOut.windows.count)
    if isFilters {
      // Two float64 in base 64 for each direction and fold; a rung has the scores of half the windows; the factors.
      bytes += ranks * Folds.count * 2 * 8 * 4 / 3 * settings.rounds + tests * score / 2 + 4 * ranks
    } else {
      bytes += 400 * tests
    }
    // Reports draw every spectrum.
    return bytes + 50_000 + 3_000 * search.sites.count
  }

  // MARK: Time

  /// - Parameter gradientLimit: Tokens whose gradients may be computed at once.
  func phases(_ cost: CostSample, gradientLimit: Int) -> [EstimatedPhase] {
    let all = work.sum(search.sites)
    let allLayers = work.layers(from: 0, unit: cost.layerWork)
    func forward(_ tokens: Int) -> Double { allLayers * cost.forward.seconds(tokens) + cost.head.seconds(tokens) }
    let decomposing = cost.decomposition * all.decomposition
    let reducing = cost.reduction * all.reduction
    var phases: [EstimatedPhase] = []
    if isFilters {
      let lowest = search.sites.map(\.layer).min() ?? 0
      let passes = (searchTokens + gradientLimit - 1) / gradientLimit
      func statistics(_ tokens: Int) -> Double {
        let layers = work.layers(from: lowest, unit: cost.layerWork)
        return forward(tokens) + cost.forward.seconds(tokens) + cost.headBackward.seconds(tokens, passes: passes)
          + layers * cost.backward.seconds(tokens, passes: passes)
          + cost.packedDecomposition * all.decomposition + cost.directions * all.directions * Double(tokens)
      }
      let later = Double(settings.rounds - 1) * (statistics(searchTokens) + statistics(searchTokens - judgingTokens))
      phases.append(.init(name: "weighing directions", seconds: statistics(searchTokens) + later))
      phases.append(
        .init(
          name: "choosing the damping",
          seconds: Double(tests) * forward(judgingTokens) + Double(filterRungs) * (reducing + forward(guardTokens))))
    } else if settings.strategy.screensTrials {
      phases.append(.init(name: "baseline", seconds: forward(searchTokens)))
      phases.append(
        .init(
          name: "trials",
          seconds: trials(cost) + decomposing + Double(tests) / Double(max(1, search.sites.count)) * reducing))
    } else {
      phases.append(.init(name: "decomposing", seconds: decomposing))
    }
    let alternatives = isFilters ? (search.reducer.kind == .delta ? 1 : 0) + (settings.filter == .scale ? 0 : 1) : 0
    phases.append(
      .init(
        name: "confirming",
        seconds: reducing + forward(searchTokens) + Double(2 + alternatives) * forward(heldOutTokens)
          + 2 * forward(guardTokens)))
    return limited(phases)
  }

  /// All trials that may be made, most of them stopped early.
  private func trials(_ cost: CostSample) -> Double {
    let share = settings.isExhaustive ? 1 : Self.usualShare
    let perSite = Double(tests) / Double(max(1, search.sites.count))
    let layers = Dictionary(grouping: search.sites, by: \.layer)
    return layers.reduce(0) { sum, entry in
      let (layer, sites) = entry
      let above = work.layers(from: layer + 1, unit: cost.layerWork)
      // An eighth of the layer for the changed matrix; the layer is taken apart once.
      let trial =
        (above + 0.125) * cost.forward.seconds(Int(share * Double(searchTokens)))
        + cost.head.seconds(Int(share * Double(searchTokens)))
      return sum + perSite * Double(sites.count) * trial + cost.forward.seconds(searchTokens)
    }
  }

  /// A budget of time ends the trials.
  private func limited(_ phases: [EstimatedPhase]) -> [EstimatedPhase] {
    guard case .seconds(let most)? = settings.budget else { return phases }
    var left = Double(most)
    return phases.map { phase in
      guard phase.name != "confirming" else { return phase }
      let seconds = min(phase.seconds, left)
      left -= seconds
      return .init(name: phase.name, seconds: seconds)
    }
  }
}
