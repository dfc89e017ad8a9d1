internal import RankReduction
package import Wording

/// Every singular value is left with what noise has not added to it: the filter with the least expected squared error
/// (Gavish & Donoho 2017, arXiv 1405.7511). It needs no text; the whole is measured at the end.
package enum Denoise: SearchStrategy {
  package static let name = "denoise"
  package static let help =
    "denoise shrinks every singular value by what noise added to it, and drops what is noise alone, without trials."
  package static let screensTrials = false
  package static let measures = false

  package static func validate(_ settings: SearchSettings) throws(InputError) {
    if settings.ranks != nil { throw InputError("the strategy denoise has no ranks; leave them out") }
    if settings.objective != .perplexity { throw InputError("the objective size goes with the strategy sweep") }
  }

  package static func run(_ context: inout SearchContext) throws {
    context.expectedCount = context.sites.count
    try context.forEachSite(usesMatrices: false) { context, site, spectrum, _ in
      try context.assign(site, spectrum.frobeniusShrinker, filterKind: .shrink)
    }
    try context.writeFilters()
  }

  package static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double { 0 }
}
