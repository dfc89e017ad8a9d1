internal import RankReduction
internal import Search

/// One filter of a plan, as tables show it.
struct FilterEntry {
  let trial: SearchRecord.Trial
  /// Of the change that all filters make together, as predicted; nil where that is nothing.
  let share: Double?

  /// In the order of the plan.
  static func entries(_ outcome: SearchOutcome) -> [FilterEntry] {
    let whole = outcome.kept.reduce(0) { $0 + $1.delta }
    return outcome.kept.map {
      let share = $0.delta / whole
      return FilterEntry(trial: $0, share: share.isFinite ? share : nil)
    }
  }

  static let header = ["filter", "k", "remaining rank", "of", "Σσ² removed", "predicted share of the change"]

  var cells: [String] {
    [filter, damping, "\(trial.rank)", "\(trial.fullRank)", removed, shareText]
  }

  /// For half the width of a page.
  static let shortHeader = ["filter", "k", "rank", "removed", "share"]

  var shortCells: [String] { [filter, damping, "\(trial.rank) of \(trial.fullRank)", removed, shareText] }

  private var filter: String {
    (trial.filter?.rawValue ?? "–") + (trial.scale.map { " \(Numbers.fixed(Double($0), 3))" } ?? "")
  }

  private var damping: String { trial.damping.map { Numbers.plain($0) } ?? "–" }
  private var removed: String { trial.removed.map { Numbers.percent($0, 1) } ?? "–" }
  private var shareText: String { share.map { Numbers.percent($0, 1) } ?? "–" }
}
