internal import Models
internal import RankReduction

/// Which filter each site has: its kind and damping, from which the statistics of some windows make its factors.
struct FilterChoice: Equatable {
  struct Recipe: Equatable {
    var kind: FilterKind
    var damping: Double
  }

  private(set) var recipes: [Site: Recipe] = [:]

  /// Sites that are left as they are have none.
  subscript(site: Site) -> Recipe? { recipes[site] }

  func setting(_ recipe: Recipe, at sites: [Site]) -> FilterChoice {
    var result = self
    for site in sites { result.recipes[site] = recipe }
    return result
  }

  /// The reductions that statistics make of it, with directions that are rounding alone dropped, in the order of the
  /// sites, and what each is predicted to change, in nats per window.
  ///
  /// - Parameter meaningfulRank: From which direction on there is nothing but the rounding of the stored type.
  func reductions(
    _ sites: [Site], kind: ReductionKind, statistics: (Site) -> DirectionStatistics?, meaningfulRank: (Site) -> Int?
  ) -> [(reduction: Reduction, predicted: Double)] {
    sites.compactMap { site in
      guard let recipe = recipes[site], let statistics = statistics(site) else { return nil }
      let choice = statistics.filter(recipe.kind, damping: recipe.damping)
      guard choice.filter.changedCount(fullRank: statistics.directions) > 0 else { return nil }
      let filter = choice.filter.dropping(from: meaningfulRank(site) ?? statistics.directions)
      return (Reduction(site: site, kind: kind, filter: filter), choice.predictedChange)
    }
  }
}
