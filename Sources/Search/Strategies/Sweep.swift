internal import Models
internal import RankReduction
internal import Tensors

extension Search {
  /// From the last layer down: each rank of each site against the model as it then is. A later keep at a site replaces the
  /// earlier one.
  func sweep(_ trials: inout TrialSequence) throws -> [Reduction] {
    trials.expectedCount = sites.count * settings.ranks.count
    switch settings.objective {
    case .perplexity: try sweepForPerplexity(&trials)
    case .size(let tolerance): try sweepForSize(&trials, tolerance: tolerance)
    }
    return trials.kept
  }

  private func sweepForPerplexity(_ trials: inout TrialSequence) throws {
    var rule = ImprovementRule(
      Acceptance(confidence: settings.confidence, falseDiscoveryRate: settings.falseDiscoveryRate),
      futility: trials.futility)
    try trials.forEachSite { trials, site, spectrum, decomposition in
      let ranks = ranks(for: spectrum)
      for (index, rank) in ranks.enumerated() {
        let trial = try trials.trial(site, rank: rank, before: Array(ranks[(index + 1)...]), phase: .sweep, rule: &rule)
        {
          try reduced(site, to: $0, decomposition)
        }
        if trial == nil { return }
      }
    }
  }

  /// From the smallest rank up, the first that stays within the allowance is kept. The i-th of n sites may use i / n of the
  /// tolerance, with all that was kept before it; what one site leaves, the next ones have.
  private func sweepForSize(_ trials: inout TrialSequence, tolerance: Double) throws {
    var rule = AllowanceRule(allowance: 0, confidence: settings.confidence, futility: trials.futility)
    var number = 0
    try trials.forEachSite { trials, site, spectrum, decomposition in
      number += 1
      rule.allowance = tolerance * Double(number) / Double(sites.count)
      let ranks = ranks(for: spectrum)
      for (index, rank) in ranks.enumerated() {
        let trial = try trials.trial(site, rank: rank, before: Array(ranks[(index + 1)...]), phase: .sweep, rule: &rule)
        {
          try reduced(site, to: $0, decomposition)
        }
        guard let trial, !trial.kept else { return }
      }
    }
  }

  func reduced(_ site: Site, to rank: Int, _ decomposition: SiteDecomposition?) throws -> StoredMatrix {
    try (decomposition ?? reducer.decompose(site)).reduced(to: rank)
  }
}
