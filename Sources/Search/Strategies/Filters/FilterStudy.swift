internal import Evaluation
internal import Models
internal import RankReduction

/// What a filter search knows: the statistics of every site's directions, by fold, and how models with filters score.
struct FilterStudy {
  let sites: [Site]
  private let kind: ReductionKind
  private let statistics: [Site: [DirectionStatistics]]
  private let judging: Evaluation
  private let models: FilteredModels

  init(
    sites: [Site], kind: ReductionKind, statistics: [Site: [DirectionStatistics]], judging: Evaluation,
    models: FilteredModels
  ) {
    (self.sites, self.kind, self.statistics) = (sites, kind, statistics)
    (self.judging, self.models) = (judging, models)
  }

  /// The reductions that one fold's windows make of a choice.
  func reductions(_ choice: FilterChoice, fold: Int) -> [Reduction] {
    choice.reductions(sites, kind: kind) { statistics[$0]?[fold] }.map(\.reduction)
  }

  /// Whether the fitting windows make any change of some sites by a choice.
  func changes(_ choice: FilterChoice, _ sites: [Site]) -> Bool {
    !choice.reductions(sites, kind: kind) { statistics[$0]?[Folds.fitting] }.isEmpty
  }

  /// The reductions that all windows make of a choice, and the change in nats per window that is predicted of each.
  func final(_ choice: FilterChoice) -> [(reduction: Reduction, predicted: Double)] {
    choice.reductions(sites, kind: kind) { statistics[$0].map { $0.dropFirst().reduce($0[0], +) } }
  }

  /// One factor for every direction of every site, the same for all.
  func scaled(by factor: Float) -> [Reduction] {
    sites.compactMap { site in
      statistics[site].map {
        Reduction(site: site, kind: kind, filter: .scale(factor, directions: $0[0].directions))
      }
    }
  }

  /// The score of the judging windows with some reductions.
  func judge(_ reductions: [Reduction], checkpoint: (Double) throws -> Void) throws -> Score {
    try models.score(reductions, on: judging, checkpoint: checkpoint)
  }
}
