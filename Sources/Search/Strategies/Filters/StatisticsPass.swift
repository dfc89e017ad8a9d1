internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors
internal import Wording

/// One forward and one backward pass of a model over some windows, and what dropping each direction of each site would
/// change, by fold. Every site's statistics are in the run folder as soon as they are made; those that are there are not
/// made again.
struct StatisticsPass {
  /// Whose directions they are. `model` may have filters of them already.
  let reducer: Reducer
  let sites: [Site]
  let model: Model
  let text: Evaluation
  /// By window: its fold, from 0.
  let folds: [Int]
  /// In the run folder.
  let fileName: String
  /// Whether statistics of another origin in the file give way: those of a later round are of other filters where the
  /// first round found others.
  let replacesOthers: Bool
  /// Of all that the statistics depend on.
  let origin: Fingerprint
  let memory: Int
  let folder: String
  let report: (SearchEvent) throws -> Void

  /// - Parameters:
  ///   - needs: Sites that are to be gone through even if their statistics are known.
  ///   - scored: Given the model's score, where it had to be run.
  ///   - decomposed: Given the spectrum of each site that had to be decomposed.
  func statistics(
    needs: (Site) -> Bool = { _ in false }, scored: (Score) throws -> Void = { _ in },
    decomposed: (Site, Spectrum) throws -> Void = { _, _ in }
  ) throws -> [Site: [DirectionStatistics]] {
    var entries: [DirectionFile.Entry] = []
    let file = try DirectionFile(fileName, in: folder, text.processes, known: &entries) {
      [replacesOthers, origin = origin.description] in
      !replacesOthers || $0.origin == origin
    }
    var known: [Site: [DirectionStatistics]] = [:]
    // A search that is extended may have had more sites.
    for entry in entries { known[entry.site] = try checked(entry) }
    let missing = sites.filter { known[$0] == nil || needs($0) }
    guard let lowest = missing.map(\.layer).min() else { return known }
    let layers = Dictionary(grouping: missing, by: \.layer)
    // A layer's directions all at once if a quarter of the memory holds them, else one site's after another.
    let count = text.windows.count
    var pass = DirectionPass(reducer, memory: memory / 4, windows: count, scratchFolder: folder)
    func makeScorer(beside pass: DirectionPass) throws -> TrialScorer {
      try TrialScorer(
        model, text, rounds: WindowRounds(count: text.windows.count, exhaustive: true), firstLayer: lowest,
        memory: memory, others: layers.values.map { pass.byteCount(ofLayer: $0) }.max() ?? 0, scratchFolder: folder
      ) { try report(.baseline(share: $0)) }
    }
    let scorer: TrialScorer
    do {
      scorer = try makeScorer(beside: pass)
    } catch is MemoryPlan.TooSmall {
      pass = DirectionPass(reducer, memory: 0, windows: count, scratchFolder: folder)
      scorer = try makeScorer(beside: pass)
    }
    try scored(scorer.original)
    let backward = try BackwardPass(scorer)
    let last = model.configuration.layerCount - 1
    var done = sites.count - missing.count
    func tick() throws { try report(.statistics(share: Double(done) / Double(max(1, sites.count)))) }
    try tick()
    let groups = try backward.directionGroups(folds: folds, checkpoint: tick)
    for layer in (lowest...last).reversed() {
      try pass.run(
        layer: layer, sites: layers[layer] ?? [], groups: groups, foldCount: foldCount,
        states: { try backward.states(ofGroup: $0, entering: layer) }, checkpoint: tick
      ) { finding in
        try decomposed(finding.site, finding.spectrum)
        if known.updateValue(finding.folds, forKey: finding.site) == nil {
          try file.add(
            DirectionFile.Entry(finding.site, kind: reducer.kind, origin: origin.description, finding.folds))
        }
        done += 1
        try tick()
      }
    }
    return known
  }

  private var foldCount: Int { (folds.max() ?? 0) + 1 }

  /// - Throws: `InputError` for statistics that are not of this search.
  private func checked(_ entry: DirectionFile.Entry) throws(InputError) -> [DirectionStatistics] {
    let windows = (0..<foldCount).map { fold in folds.count { $0 == fold } }
    guard entry.origin == origin.description, entry.kind == reducer.kind, model.sites.contains(entry.site),
      let statistics = entry.statistics, statistics.map(\.windows) == windows,
      statistics.allSatisfy({ $0.directions == reducer.fullRank(of: entry.site) })
    else {
      throw InputError(
        "\(folder)/\(fileName): statistics of another search; remove the file, it will be made again")
    }
    return statistics
  }
}
