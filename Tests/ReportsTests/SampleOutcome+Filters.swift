import Models
import RankReduction
import Search

/// A finished search of filters, in which every so many-th site has one.
extension SampleOutcome {
  static func filters(_ kind: FilterKind = .shrink, _ change: (inout SampleOutcome) -> Void = { _ in }) -> SampleOutcome
  {
    var sample = SampleOutcome()
    sample.filter = kind
    sample.keepsEvery = 1
    sample.roles = [.query, .w1, .w2]
    sample.alternativeGains = [("the base's own matrices", 0.005), ("one factor for each matrix", 0.012)]
    change(&sample)
    return sample
  }

  /// From 1 down to 0 along the spectrum.
  private var shares: [Float] { (0..<(factorCount ?? fullRank)).map { max(0, 1 - Float($0) / Float(fullRank / 2)) } }

  func factors(_ kind: FilterKind) -> [String: [Float]] {
    guard kind != .scale, kind != .truncate else { return [:] }
    return Dictionary(uniqueKeysWithValues: filteredSites.map { (FilterFile.name(of: $0), shares) })
  }

  /// Each once: all experts share attention's.
  private var distinctSites: [Site] {
    var seen: Set<Site> = []
    return sites.filter { seen.insert($0).inserted }
  }

  private var filteredSites: [Site] {
    keepsEvery > 0 ? distinctSites.enumerated().filter { $0.offset % keepsEvery == 0 }.map(\.element) : []
  }

  func filterRecords(_ kind: FilterKind) -> [[String: Any]] {
    if let partSizes {
      let whole = rung(1, "feed-forward", kind, damping: 64, delta: 0.001, isAlternative: false)
      let parts = partSizes.enumerated().map { index, size -> [String: Any] in
        var part = whole
        let isLast = index == partSizes.count - 1
        (part["number"], part["sites"], part["passes"]) = (2 + index, size, isLast)
        part["delta"] = isLast ? -0.005 : 0.001
        return part
      }
      return parts.isEmpty ? [] : [whole] + parts
    }
    let groups = [("feed-forward", 16, false), ("attention", 4, false), ("feed-forward", 2, true)]
    var number = 0
    let rungs = groups.flatMap { group, last, isAlternative -> [[String: Any]] in
      [64, 32, 16, 8, 4, 2].filter { $0 >= last }.map { damping in
        number += 1
        // The last one is worse than the one before it.
        let delta = keepsEvery == 0 ? 0.001 : damping == last ? -0.004 : -0.3 / Double(damping)
        return rung(
          number, group, isAlternative ? .scale : kind, damping: damping, delta: delta, isAlternative: isAlternative)
      }
    }
    guard let first = filteredSites.first else { return rungs }
    let members = filteredSites.enumerated().map { index, site -> [String: Any] in
      var member: [String: Any] = [
        "tensor": "\(site)", "layer": site.layer, "role": site.role.rawValue, "rank": fullRank / 2,
        "fullRank": fullRank,
        "predicted": -0.1 * Double(1 + index % 4), "standardError": 0, "filter": kind.rawValue,
        "damping": site.role.part == .attention ? 8 : 32, "removed": kind == .reweight && index == 0 ? -0.2 : 0.375,
      ]
      if let expert = site.expert { member["expert"] = expert }
      if kind == .scale { member["scale"] = 0.625 }
      return member
    }
    let trial: [String: Any] = [
      "record": "trial", "number": 1, "phase": "filters", "tensor": "\(first)", "layer": first.layer,
      "role": first.role.rawValue, "kind": base == nil ? "weights" : "delta", "rank": fullRank / 2,
      "fullRank": fullRank, "windowsUsed": Self.windows, "nll": 3.5, "delta": -0.0375, "standardError": 0.002,
      "level": 0, "evidence": "measured", "kept": true, "seconds": 1.5, "together": members,
    ]
    return rungs + [trial]
  }

  private func rung(
    _ number: Int, _ group: String, _ kind: FilterKind, damping: Int, delta: Double, isAlternative: Bool
  ) -> [String: Any] {
    [
      "record": "rung", "number": number, "round": 1, "group": group, "filter": kind.rawValue, "damping": damping,
      "sites": distinctSites.count { SiteGroup.name(of: $0) == group }, "windows": [["nll": 900, "tokens": 255]],
      "nll": 3.5,
      "delta": delta, "standardError": 0.0005, "level": 0.002, "passes": delta < 0, "isAlternative": isAlternative,
      "seconds": 1.5,
    ]
  }
}
