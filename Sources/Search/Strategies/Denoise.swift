internal import RankReduction

/// Every singular value is left with what noise has not added to it: the filter with the least expected squared error
/// (Gavish & Donoho 2017, arXiv 1405.7511). It needs no text; the whole is measured at the end.
enum Denoise: SearchStrategy {
  static func run(_ context: inout SearchContext) throws {
    context.expectedCount = context.sites.count
    try context.forEachSite(usesMatrices: false) { context, site, spectrum, _ in
      try context.assign(site, spectrum.frobeniusShrinker, filterKind: .shrink)
    }
    try context.writeFilters()
  }
}
