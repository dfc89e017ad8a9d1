internal import Models

/// Sites that share a damping. Attention's matrices and the experts' differ in how far their directions depend on each other.
struct SiteGroup {
  let name: String
  /// From the last layer down.
  let sites: [Site]

  /// The groups that some sites fall into; none is empty.
  static func groups(of sites: [Site]) -> [SiteGroup] {
    let isAttention = { (site: Site) in site.role.part == .attention }
    return [
      SiteGroup(name: "feed-forward", sites: sites.filter { !isAttention($0) }),
      SiteGroup(name: "attention", sites: sites.filter(isAttention)),
    ].filter { !$0.sites.isEmpty }
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
