internal import Models
internal import RankReduction

/// The measurements of a search that goes on with other settings, more ranks for one: a trial is used again where it was
/// made of the same reduction on the same model. Whether it is kept is decided anew, as the settings now say.
struct ReusableRecords {
  private var trials: [Key: SearchRecord.Trial] = [:]
  private var rungs: ArraySlice<SearchRecord.Rung>

  private struct Key: Hashable {
    let phase: SearchRecord.Trial.Phase
    let site: Site
    let rank: Int
    /// The ranks that sites had when the trial was made.
    let kept: [Site: Int]
  }

  init(trials: [SearchRecord.Trial], rungs: [SearchRecord.Rung]) {
    self.rungs = rungs[...]
    var kept: [Site: Int] = [:]
    for trial in trials where trial.filter == nil && trial.together == nil {
      let key = Key(phase: trial.phase, site: trial.site, rank: trial.rank, kept: kept)
      self.trials[key] = trial
      if trial.kept { kept[trial.site] = trial.rank }
    }
  }

  func trial(
    _ reduction: Reduction, phase: SearchRecord.Trial.Phase, after kept: [Reduction]
  ) -> SearchRecord.Trial? {
    let ranks = Dictionary(kept.map { ($0.site, $0.rank) }) { _, last in last }
    return trials[Key(phase: phase, site: reduction.site, rank: reduction.rank, kept: ranks)]
  }

  /// Rungs follow from those before them: after the first that is another one, none is used.
  mutating func nextRung(_ isSame: (SearchRecord.Rung) -> Bool) -> SearchRecord.Rung? {
    guard let next = rungs.popFirst() else { return nil }
    if isSame(next) { return next }
    rungs = []
    return nil
  }
}
