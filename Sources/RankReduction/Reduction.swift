package import Models

/// What of a matrix is truncated.
package enum ReductionKind: String, Sendable, Codable {
  /// W itself (LASER).
  case weights
  /// W − W_base, after which W_base is added back.
  case delta
}

/// A site and the rank it is left with.
package struct Reduction: Sendable, Hashable {
  package let site: Site
  package let kind: ReductionKind
  package let rank: Int

  package init(site: Site, kind: ReductionKind, rank: Int) {
    self.site = site
    self.kind = kind
    self.rank = rank
  }
}
