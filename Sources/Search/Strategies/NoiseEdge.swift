internal import RankReduction

/// Every site is left with the singular values that stand above the edge of noise. Nothing is tried; the whole is
/// measured at the end.
enum NoiseEdge: SearchStrategy {
  static func run(_ context: inout SearchContext) throws {
    context.expectedCount = context.sites.count
    try context.forEachSite(usesMatrices: false) { context, site, spectrum, _ in
      for rank in context.ranks(for: spectrum) where rank < spectrum.fullRank {
        try context.assign(site, .truncation(rank: rank))
      }
    }
  }
}
