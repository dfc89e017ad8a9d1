internal import Evaluation
internal import Models
internal import RankReduction

/// What a round of a filter search knows: the statistics of every site's directions, made on a model that has the filters
/// of the round before, and how models with filters score.
struct FilterStudy {
  let sites: [Site]
  let kind: ReductionKind
  /// Of the fitting windows.
  private let fitting: RoundStatistics
  /// Of all windows; made when they are needed.
  private let whole: () throws -> RoundStatistics
  private let meaningfulRank: (Site) -> Int?
  private let judging: Evaluation
  private let models: FilteredModels

  /// - Parameter meaningfulRank: From which direction on there is nothing but the rounding of the stored type; nil for none.
  init(
    sites: [Site], kind: ReductionKind, fitting: RoundStatistics, whole: @escaping () throws -> RoundStatistics,
    meaningfulRank: @escaping (Site) -> Int?, judging: Evaluation, models: FilteredModels
  ) {
    (self.sites, self.kind, self.fitting, self.whole) = (sites, kind, fitting, whole)
    (self.meaningfulRank, self.judging, self.models) = (meaningfulRank, judging, models)
  }

  /// The reductions that the fitting windows make of a choice.
  func reductions(_ choice: FilterChoice) -> [Reduction] { fitted(choice).map(\.reduction) }

  /// The same, and the change in nats per window that is predicted of each.
  func fitted(_ choice: FilterChoice) -> [(reduction: Reduction, predicted: Double)] { made(choice, fitting) }

  /// Whether the fitting windows make any change of some sites by a choice.
  func changes(_ choice: FilterChoice, _ sites: [Site]) -> Bool {
    let before = fitting.start.filters
    return made(choice, fitting, at: sites).contains { $0.reduction.filter != before[$0.reduction.site] }
  }

  /// The reductions that all windows make of a choice, and the change in nats per window that is predicted of each.
  func final(_ choice: FilterChoice) throws -> [(reduction: Reduction, predicted: Double)] { made(choice, try whole()) }

  /// In the order of the sites; those without a recipe keep what the round began with.
  private func made(
    _ choice: FilterChoice, _ statistics: RoundStatistics, at sites: [Site]? = nil
  ) -> [(reduction: Reduction, predicted: Double)] {
    (sites ?? self.sites).compactMap { site in
      guard let known = statistics.bySite[site] else { return nil }
      let start = statistics.start.filters[site]
      guard let recipe = choice[site] else {
        return start.map { (Reduction(site: site, kind: kind, filter: $0), statistics.start.predicted[site] ?? 0) }
      }
      let found = known.filter(recipe.kind, damping: recipe.damping, from: start)
      guard found.filter.changedCount(fullRank: known.directions) > 0 else { return nil }
      let filter = found.filter.dropping(from: meaningfulRank(site) ?? known.directions)
      return (Reduction(site: site, kind: kind, filter: filter), found.predictedChange)
    }
  }

  /// One factor for every direction of every site, the same for all.
  func scaled(by factor: Float) -> [Reduction] {
    sites.compactMap { site in
      fitting.bySite[site].map {
        Reduction(site: site, kind: kind, filter: .scale(factor, directions: $0.directions))
      }
    }
  }

  /// The score of the judging windows with some reductions.
  func judge(_ reductions: [Reduction], checkpoint: (Double) throws -> Void) throws -> Score {
    try models.score(reductions, on: judging, checkpoint: checkpoint)
  }
}

/// The statistics that some windows give of a model with filters.
struct RoundStatistics {
  /// The filters of that model.
  var start = Start()
  let bySite: [Site: DirectionStatistics]

  struct Start {
    var filters: [Site: Filter] = [:]
    /// What each was predicted to change, in nats per window.
    var predicted: [Site: Double] = [:]

    init() {}

    init(_ found: [(reduction: Reduction, predicted: Double)]) {
      for (reduction, change) in found {
        filters[reduction.site] = reduction.filter
        predicted[reduction.site] = change
      }
    }
  }
}
