package import Models

/// What of a matrix is reduced.
package enum ReductionKind: String, Sendable, Codable {
  /// W itself (LASER).
  case weights
  /// W − W_base, after which W_base is added back.
  case delta
}

/// A site and the filter that its directions pass.
package struct Reduction: Sendable, Hashable, Codable {
  package let site: Site
  package let kind: ReductionKind
  package let filter: Filter

  package init(site: Site, kind: ReductionKind, filter: Filter) {
    self.site = site
    self.kind = kind
    self.filter = filter
  }

  /// Truncation to a rank.
  package init(site: Site, kind: ReductionKind, rank: Int) {
    self.init(site: site, kind: kind, filter: .truncation(rank: rank))
  }

  /// How many directions are left.
  package var rank: Int { filter.rank }
}
