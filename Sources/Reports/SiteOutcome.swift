internal import Evaluation
internal import Models
internal import RankReduction
internal import Search

/// All that a search found out about one site.
struct SiteOutcome {
  enum State { case kept, rejected, stoppedEarly }

  /// One measured trial, with its change taken from the model as it was before anything was kept at the site: the change
  /// that the trial itself showed and those of the keeps before it that it would have replaced.
  struct Point {
    let trial: SearchRecord.Trial
    let delta: Double
    let isComplete: Bool

    var fraction: Double { trial.fullRank > 0 ? Double(trial.rank) / Double(trial.fullRank) : 0 }
  }

  let site: Site
  let state: State
  /// One a rank, by rank; where a rank was measured twice, the later measurement.
  let points: [Point]
  /// What the site contributes if it is kept, else the least change that any of its trials showed; nil if nothing was
  /// measured.
  let best: Point?
  let keptTrial: SearchRecord.Trial?
  /// How many trials were accepted, one after another.
  let steps: Int

  init(site: Site, trials: [SearchRecord.Trial], windows: Int) {
    self.site = site
    var byRank: [Int: Point] = [:]
    var before = 0.0
    for trial in trials where trial.pairedDelta != nil {
      byRank[trial.rank] = Point(
        trial: trial, delta: before + trial.delta, isComplete: trial.windowsUsed >= windows)
      if trial.kept { before += trial.delta }
    }
    points = byRank.values.sorted { $0.trial.rank < $1.trial.rank }
    keptTrial = trials.last { $0.kept }
    steps = trials.count { $0.kept }
    if let keptTrial {
      (state, best) = (.kept, byRank[keptTrial.rank])
    } else {
      best = points.filter { $0.delta.isFinite }.min { $0.delta < $1.delta }
      state = points.contains(where: \.isComplete) ? .rejected : .stoppedEarly
    }
  }

  var shortName: String { site.shortName }
}

extension Site {
  /// "3 · e1 · w2"
  var shortName: String {
    ["\(layer)", expert.map { "e\($0)" }, role.rawValue].compactMap(\.self).joined(separator: " · ")
  }
}

extension SearchOutcome {
  /// Of every site that was tried, in the order of their first trials.
  var sites: [SiteOutcome] {
    let windows = inputs.text.reduce(0) { $0 + $1.windows }
    var order: [Site] = []
    var bySite: [Site: [SearchRecord.Trial]] = [:]
    for trial in trials {
      if bySite[trial.site] == nil { order.append(trial.site) }
      bySite[trial.site, default: []].append(trial)
    }
    return order.map { SiteOutcome(site: $0, trials: bySite[$0] ?? [], windows: windows) }
  }
}
