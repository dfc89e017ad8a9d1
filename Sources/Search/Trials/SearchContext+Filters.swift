internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors
internal import Wording

// What a search by filters asks of its context.

extension SearchContext {
  /// The statistics of every site's directions, read from the run folder or made and written there, and what measures filters.
  mutating func filterStudy() throws -> FilterStudy {
    let folds = Folds(search.text)
    guard folds.windows(Folds.fitting).count > 1, folds.windows(Folds.judging).count > 1 else {
      throw InputError(
        "the search text has \(windowCount) windows, too few to make filters from one half of them and judge "
          + "them on the other; give more text or a smaller --context")
    }
    let pass = StatisticsPass(
      search: search, sites: sites, folds: folds, memory: memory, folder: folder, report: report)
    return FilterStudy(
      sites: sites, kind: reducer.kind, statistics: try pass.statistics(spectra: &spectra),
      meaningfulRank: reducer.kind == .delta ? { [spectra = spectra.all] in spectra[$0]?.numericalRank } : { _ in nil },
      judging: search.text.part(Set(folds.windows(Folds.judging))),
      models: FilteredModels(reducer, memory: memory, folder: folder))
  }

  /// Measures a rung, or reads it.
  ///
  /// - Parameter measure: Given its number, the time it took, and what is to be called often with the share done.
  mutating func rung(
    _ measure: (_ number: Int, _ check: (Double) throws -> Void) throws -> SearchRecord.Rung
  ) throws -> SearchRecord.Rung {
    rungCount += 1
    let (number, report, expected) = (rungCount, report, max(expectedCount, rungCount))
    let rung: SearchRecord.Rung
    if let recorded = log.recordedRung() {
      rung = recorded
    } else {
      var new = try measure(number) { try report(.rung(nil, share: (Double(number - 1) + $0) / Double(expected))) }
      new.seconds = seconds()
      try log.write(new)
      rung = new
    }
    try report(.rung(rung, share: Double(number) / Double(expected)))
    return rung
  }

  /// Makes filters the plan, or leaves it empty where there are none.
  ///
  /// - Parameters:
  ///   - found: With what each is predicted to change.
  ///   - delta: What those filters that the fitting windows made change on the judging windows.
  mutating func keep(
    _ found: [(reduction: Reduction, predicted: Double)], _ delta: PairedDelta, nll: Double, windows: Int,
    _ choice: FilterChoice
  ) throws {
    guard !found.isEmpty else { return }
    let reductions = found.map(\.reduction)
    let trial: SearchRecord.Trial
    if let recorded = try log.recorded(reductions, phase: .filters) {
      trial = recorded
    } else {
      var new = record(reductions[0], phase: .filters)
      (new.windowsUsed, new.nll, new.delta, new.standardError) = (windows, nll, delta.mean, delta.standardError)
      new.kept = true
      new.together = found.map { reduction, predicted in
        let (site, recipe) = (reduction.site, choice[reduction.site])
        return SearchRecord.Trial.Member(
          tensor: reducer.model.reference(of: site).name, layer: site.layer, expert: site.expert, role: site.role,
          rank: reduction.rank, fullRank: reducer.fullRank(of: site), predicted: predicted, standardError: 0,
          filter: recipe?.kind, damping: recipe?.damping, scale: reduction.filter.scale,
          removed: spectra[site].map { $0.removed(by: reduction.filter) })
      }
      try log.write(new)
      trial = new
    }
    log.count(trial, reductions: reductions)
    try writeFilters()
    try report(.trial(trial, of: log.count))
  }
}
