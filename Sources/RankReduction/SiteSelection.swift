package import Models
package import Wording

/// Which sites of a model are considered: layers, experts, roles.
package struct SiteSelection: Sendable, Equatable {
  package let layers: IndexList
  package let experts: IndexList
  package let roles: [Role]
  /// Whether roles that the model does not have are left out, instead of refused.
  package let allowsAbsentRoles: Bool

  package init(layers: IndexList, experts: IndexList, roles: [Role], allowsAbsentRoles: Bool = false) {
    self.allowsAbsentRoles = allowsAbsentRoles
    self.layers = layers
    self.experts = experts
    self.roles = roles
  }

  /// The sites from the last layer down; within a layer attention first, then by expert, then the shared expert; by
  /// role in the order given. `all` experts are those of the mixture and the layers without one; numbers name experts
  /// alone. A shared expert has no number: its roles select it.
  ///
  /// - Throws: `InputError` for a layer, an expert or a role that the model does not have, and when nothing is
  ///   selected.
  package func sites(of model: Model) throws(InputError) -> [Site] {
    let layers = try layers.indices(below: model.configuration.layerCount, what: "layer")
    let numbers = try experts.indices(below: model.configuration.expertCount, what: "expert")
    let isMixture = model.configuration.mixture != nil
    let experts = (isMixture && experts != .all ? [] : [nil]) + (isMixture ? numbers.map(Optional.some) : [])
    func roles(_ part: Role.Part) -> [Role] { self.roles.filter { $0.part == part } }
    if let role = roles(.sharedExpert).first, !allowsAbsentRoles,
      !model.layout.layers.contains(where: { $0.shared != nil })
    {
      throw InputError("the model has no shared expert, so no \(role.rawValue)")
    }
    let sites = layers.reversed().flatMap { layer -> [Site] in
      roles(.attention).map { Site(layer: layer, expert: nil, role: $0) }
        + experts.flatMap { expert in roles(.expert).map { Site(layer: layer, expert: expert, role: $0) } }
        + roles(.sharedExpert).map { Site(layer: layer, expert: nil, role: $0) }
    }.filter { model.referenceIfPresent(of: $0) != nil }
    guard !sites.isEmpty else { throw InputError("the layers, experts and roles given select no matrix") }
    return sites
  }
}

/// Numbers as people list them: `all`, `3`, `0-5,7`.
package struct IndexList: Sendable, Equatable, CustomStringConvertible {
  /// Nil for all.
  private let ranges: [ClosedRange<Int>]?

  package static let all = IndexList(ranges: nil)

  private init(ranges: [ClosedRange<Int>]?) { self.ranges = ranges }

  package init?(_ text: String) {
    guard text != "all" else {
      self = .all
      return
    }
    var ranges: [ClosedRange<Int>] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map {
        Int($0.filter { $0 != " " })
      }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, first <= last else { return nil }
      ranges.append(first...last)
    }
    self.init(ranges: ranges)
  }

  package var description: String {
    guard let ranges else { return "all" }
    return ranges.map { $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(
        separator: ",")
  }

  /// Ascending, each once.
  func indices(below count: Int, what: String) throws(InputError) -> [Int] {
    guard let ranges else { return Array(0..<count) }
    if let range = ranges.first(where: { $0.upperBound >= count }) {
      throw InputError("\(what) \(range.upperBound) does not exist: the model has \(what)s 0 to \(count - 1)")
    }
    return Set(ranges.flatMap { Array($0) }).sorted()
  }
}
