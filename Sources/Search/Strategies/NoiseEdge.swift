internal import Models
internal import RankReduction

extension Search {
  /// Every site is left with the singular values that stand above the edge of noise. Nothing is tried; the whole is measured
  /// at the end.
  func cutAtNoiseEdge(_ trials: inout TrialSequence) throws -> [Reduction] {
    trials.expectedCount = sites.count
    try trials.forEachSite(usesMatrices: false) { trials, site, spectrum, _ in
      for rank in ranks(for: spectrum) where rank < spectrum.fullRank { try trials.assign(site, rank: rank) }
    }
    return trials.kept
  }
}
