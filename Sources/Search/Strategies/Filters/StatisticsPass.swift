internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors
internal import Wording

/// One forward and one backward pass over the search text, and what dropping each direction of each site would change, by fold.
/// Every site's statistics are in the run folder as soon as they are made; those that are there are not made again.
struct StatisticsPass {
  let search: Search
  let sites: [Site]
  let folds: Folds
  let memory: Int
  let folder: String
  let report: (Search.Event) throws -> Void

  func statistics(spectra: inout SpectrumCache) throws -> [Site: [DirectionStatistics]] {
    var entries: [DirectionFile.Entry] = []
    let file = try DirectionFile(in: folder, known: &entries)
    var known: [Site: [DirectionStatistics]] = [:]
    for entry in entries { known[entry.site] = try checked(entry) }
    let missing = sites.filter { known[$0] == nil || spectra[$0] == nil }
    guard let lowest = missing.map(\.layer).min() else { return known }
    let reducer = search.reducer
    let layers = Dictionary(grouping: missing, by: \.layer)
    // A layer's directions all at once if a quarter of the memory holds them, else one site's after another.
    var pass = DirectionPass(reducer, memory: memory / 4, scratchFolder: folder)
    func makeScorer(beside pass: DirectionPass) throws -> TrialScorer {
      try TrialScorer(
        search.model, search.text, rounds: WindowRounds(count: search.text.windows.count, exhaustive: true),
        firstLayer: lowest, memory: memory, others: layers.values.map { pass.byteCount(ofLayer: $0) }.max() ?? 0,
        scratchFolder: folder
      ) { try report(.baseline(share: $0)) }
    }
    let scorer: TrialScorer
    do {
      scorer = try makeScorer(beside: pass)
    } catch is MemoryPlan.TooSmall {
      pass = DirectionPass(reducer, memory: 0, scratchFolder: folder)
      scorer = try makeScorer(beside: pass)
    }
    let backward = try BackwardPass(scorer)
    let last = search.model.configuration.layerCount - 1
    var done = known.count
    func tick() throws { try report(.prediction(share: Double(done) / Double(max(1, sites.count)))) }
    try tick()
    let groups = try backward.directionGroups(folds: folds.ofWindow, checkpoint: tick)
    for layer in (lowest...last).reversed() {
      try pass.run(
        layer: layer, sites: layers[layer] ?? [], groups: groups, foldCount: Folds.count,
        states: { try backward.states(ofGroup: $0, entering: layer) }, checkpoint: tick
      ) { finding in
        if spectra[finding.site] == nil { try spectra.add(finding.spectrum, of: finding.site, kind: reducer.kind) }
        if known.updateValue(finding.folds, forKey: finding.site) == nil {
          try file.add(DirectionFile.Entry(finding.site, kind: reducer.kind, finding.folds))
        }
        done += 1
        try tick()
      }
    }
    return known
  }

  /// - Throws: `InputError` for statistics that are not of this search.
  private func checked(_ entry: DirectionFile.Entry) throws(InputError) -> [DirectionStatistics] {
    let windows = (0..<Folds.count).map { folds.windows($0).count }
    guard entry.kind == search.reducer.kind, sites.contains(entry.site), let statistics = entry.statistics,
      statistics.map(\.windows) == windows,
      statistics.allSatisfy({ $0.directions == search.reducer.fullRank(of: entry.site) })
    else {
      throw InputError(
        "\(DirectionFile.path(in: folder)): statistics of another search; remove the file, it will be made again")
    }
    return statistics
  }
}
