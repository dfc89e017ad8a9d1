package import RankReduction
package import Wording

/// Every site is left with the singular values that stand above the edge of noise. Nothing is tried; the whole is
/// measured at the end.
package enum NoiseEdge: SearchStrategy {
  package static let name = "noise-edge"
  package static let help =
    "noise-edge cuts every site at the edge of its noise (with --ranks svht at the optimal threshold), without trials."
  package static let defaultRanks: [RankRule] = [.noiseEdge]
  package static let screensTrials = false
  package static let measures = false

  package static func validate(_ settings: SearchSettings) throws(InputError) {
    if settings.rankRules != [.noiseEdge], settings.rankRules != [.optimalThreshold] {
      throw InputError("the strategy noise-edge chooses the ranks itself; leave them out, or give svht")
    }
    if settings.objective != .perplexity { throw InputError("the objective size goes with the strategy sweep") }
  }

  package static func run(_ context: inout SearchContext) throws {
    context.expectedCount = context.sites.count
    try context.forEachSite(usesMatrices: false) { context, site, spectrum, _ in
      for rank in context.ranks(for: spectrum) where rank < spectrum.fullRank {
        try context.assign(site, .truncation(rank: rank))
      }
    }
  }

  package static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double { 0 }
}
