internal import Models
internal import RankReduction

/// Which filter each site is to get: its kind and damping, from which the statistics of some windows make its factors.
struct FilterChoice: Equatable {
  struct DampedFilter: Equatable {
    var kind: FilterKind
    var damping: Double
  }

  private(set) var recipes: [Site: DampedFilter] = [:]

  var isEmpty: Bool { recipes.isEmpty }

  /// Sites that are left as they are have none.
  subscript(site: Site) -> DampedFilter? { recipes[site] }

  func setting(_ recipe: DampedFilter, at sites: [Site]) -> FilterChoice {
    var result = self
    for site in sites { result.recipes[site] = recipe }
    return result
  }

  /// With another choice's recipes where that has one.
  func followed(by next: FilterChoice) -> FilterChoice {
    var result = self
    result.recipes.merge(next.recipes) { $1 }
    return result
  }
}
