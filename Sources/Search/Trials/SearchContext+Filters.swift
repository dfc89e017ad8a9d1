internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors
internal import Wording

// What a search by filters asks of its context.

extension SearchContext {
  /// The first round: the statistics of every site's directions in the original model, read from the run folder or made
  /// and written there, and what measures filters.
  mutating func filterStudy(_ folds: Folds) throws -> FilterStudy {
    let pass = StatisticsPass(
      reducer: reducer, sites: sites, model: search.model, text: search.text, folds: folds.ofWindow,
      fileName: "directions.jsonl", replacesOthers: false, origin: search.statisticsOrigin, memory: memory,
      folder: folder, report: report)
    let known = Set(spectra.all.keys)
    let statistics = try pass.statistics(
      needs: { !known.contains($0) }, scored: { try log.write(original: $0) },
      decomposed: { try add($1, of: $0) })
    return study(
      folds, fitting: RoundStatistics(bySite: statistics.mapValues { $0[Folds.fitting] }),
      whole: { RoundStatistics(bySite: statistics.mapValues { $0.dropFirst().reduce($0[0], +) }) })
  }

  /// A later round: the statistics of the models that have the filters found so far, those of the fitting windows for
  /// what is judged, those of all windows for what is kept.
  mutating func filterStudy(
    _ folds: Folds, round: Int, after study: FilterStudy, _ choice: FilterChoice
  ) throws -> FilterStudy {
    let (search, reducer, sites, memory, folder, report) = (search, reducer, sites, memory, folder, report)
    func statistics(
      _ windows: [Int], after found: [(reduction: Reduction, predicted: Double)], _ suffix: String
    ) throws -> RoundStatistics {
      var origin = search.statisticsOrigin
      for reduction in found.map(\.reduction) {
        origin.update("\(reduction.site)")
        for factor in reduction.filter.factors(fullRank: reducer.fullRank(of: reduction.site)) {
          origin.update("\(factor.bitPattern)")
        }
      }
      let model = try reducer.applying(found.map(\.reduction), scratchFolder: folder) { _ in
        try report(.statistics(share: 0))
      }
      let pass = StatisticsPass(
        reducer: reducer, sites: sites, model: model, text: search.text.part(Set(windows)),
        folds: windows.map { _ in 0 }, fileName: "directions-\(round)\(suffix).jsonl", replacesOthers: true,
        origin: origin, memory: memory,
        folder: folder, report: report)
      return RoundStatistics(start: .init(found), bySite: try pass.statistics().mapValues { $0[0] })
    }
    return self.study(
      folds, fitting: try statistics(folds.windows(Folds.fitting), after: study.fitted(choice), "-fitting"),
      whole: { try statistics(Array(search.text.windows.indices), after: try study.final(choice), "") })
  }

  private func study(
    _ folds: Folds, fitting: RoundStatistics, whole: @escaping () throws -> RoundStatistics
  ) -> FilterStudy {
    FilterStudy(
      sites: sites, kind: reducer.kind, fitting: fitting, whole: whole,
      meaningfulRank: reducer.kind == .delta ? { [spectra = spectra.all] in spectra[$0]?.numericalRank } : { _ in nil },
      judging: search.text.part(Set(folds.windows(Folds.judging))),
      models: FilteredModels(reducer, memory: memory, folder: folder))
  }

  /// The original model's score of the search text.
  mutating func original() throws -> Score {
    if let known = log.original { return known }
    let score = try search.text.score(search.model, memory: memory) { [report] in try report(.baseline(share: $0)) }
    try log.write(original: score)
    return score
  }

  /// Measures a rung, or reads it.
  ///
  /// - Parameters:
  ///   - isSame: Whether a rung of a search that this one extends has the same filters, so that its scores are used again.
  ///   - measure: Given its number, such a rung if there is one, and what is to be called often with the share done.
  mutating func rung(
    isSame: (SearchRecord.Rung) -> Bool,
    _ measure: (_ number: Int, _ known: SearchRecord.Rung?, _ check: (Double) throws -> Void) throws ->
      SearchRecord.Rung
  ) throws -> SearchRecord.Rung {
    rungCount += 1
    let (number, report, expected) = (rungCount, report, max(expectedCount, rungCount))
    let rung: SearchRecord.Rung
    let recorded = log.recordedRung()
    if let recorded {
      rung = recorded
    } else {
      var new = try measure(number, log.reusableRung(isSame)) {
        try report(.rung(nil, share: (Double(number - 1) + $0) / Double(expected), isNew: true))
      }
      new.seconds = seconds()
      try log.write(new)
      rung = new
    }
    try report(.rung(rung, share: Double(number) / Double(expected), isNew: recorded == nil))
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
    try report(.trial(trial, TrialProgress(expected: log.count, share: 1, secondsLeft: nil, isNew: true)))
  }
}
