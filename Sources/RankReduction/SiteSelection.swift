package import Inference

/// Which sites of a model are considered: layers, experts, roles.
package struct SiteSelection: Sendable, Equatable {
  package let layers: IndexList
  package let experts: IndexList
  package let roles: [Role]

  package init(layers: IndexList, experts: IndexList, roles: [Role]) {
    self.layers = layers
    self.experts = experts
    self.roles = roles
  }

  /// The sites from the last layer down; within a layer by expert, then by role in the order given. Attention, which no
  /// expert owns, comes first.
  ///
  /// - Throws: `ReductionError` for a layer or an expert that the model does not have.
  package func sites(of model: Model) throws(ReductionError) -> [Site] {
    let layers = try layers.indices(below: model.configuration.layerCount, what: "layer")
    let experts = try experts.indices(below: model.configuration.expertCount, what: "expert")
    let attention = roles.filter { !$0.belongsToExpert }
    let expertRoles = roles.filter(\.belongsToExpert)
    let isMixture = model.configuration.mixture != nil
    return layers.reversed().flatMap { layer in
      attention.map { Site(layer: layer, expert: nil, role: $0) }
        + experts.flatMap { expert in
          expertRoles.map { Site(layer: layer, expert: isMixture ? expert : nil, role: $0) }
        }
    }
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
  func indices(below count: Int, what: String) throws(ReductionError) -> [Int] {
    guard let ranges else { return Array(0..<count) }
    if let range = ranges.first(where: { $0.upperBound >= count }) {
      throw ReductionError("\(what) \(range.upperBound) does not exist: the model has \(what)s 0 to \(count - 1)")
    }
    return Set(ranges.flatMap { Array($0) }).sorted()
  }
}
