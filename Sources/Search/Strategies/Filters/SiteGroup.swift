package import Models

/// Sites that share a damping. Attention's matrices and the experts' differ in how far their directions depend on each other.
package struct SiteGroup {
  let name: String
  /// From the last layer down.
  let sites: [Site]

  /// The name of the group that a site falls into.
  package static func name(of site: Site) -> String { site.role.part == .attention ? "attention" : "feed-forward" }

  /// The groups that some sites fall into; none is empty.
  static func groups(of sites: [Site]) -> [SiteGroup] {
    ["feed-forward", "attention"].map { group in SiteGroup(name: group, sites: sites.filter { name(of: $0) == group }) }
      .filter { !$0.sites.isEmpty }
  }

  /// Both halves: of the layers, or of a layer's sites. Nil for a single site.
  var halves: (SiteGroup, SiteGroup)? {
    guard sites.count > 1 else { return nil }
    let layers = Set(sites.map(\.layer)).sorted(by: >)
    guard layers.count > 1 else {
      let middle = sites.count / 2
      return (
        SiteGroup(name: name, sites: Array(sites[..<middle])), SiteGroup(name: name, sites: Array(sites[middle...]))
      )
    }
    let upper = Set(layers.prefix(layers.count / 2))
    return (
      SiteGroup(name: name, sites: sites.filter { upper.contains($0.layer) }),
      SiteGroup(name: name, sites: sites.filter { !upper.contains($0.layer) })
    )
  }
}
