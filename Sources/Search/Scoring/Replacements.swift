package import Models
package import Tensors

/// Matrices that take the places of a model's: what a trial changes, at one site or many.
package struct Replacements: Sendable {
  package let matrices: [(site: Site, matrix: StoredMatrix)]

  package init(_ matrices: [(site: Site, matrix: StoredMatrix)]) { self.matrices = matrices }

  package init(_ site: Site, by matrix: StoredMatrix) { self.init([(site, matrix)]) }

  var sites: [Site] { matrices.map(\.site) }

  /// States that enter this layer and those below are not changed. Nil where nothing is.
  var lowestLayer: Int? { matrices.map(\.site.layer).min() }

  /// Whether all of it lies in the experts of one layer, whose attention and routing stay as they are then.
  func changesOnlyExperts(of layer: Int) -> Bool {
    sites.allSatisfy { $0.layer == layer && $0.role.part != .attention }
  }

}

/// A model with some of its matrices replaced.
struct ChangedModel {
  let replacements: Replacements
  let model: Model

  init(_ model: Model, _ replacements: Replacements) {
    self.replacements = replacements
    self.model = replacements.matrices.reduce(model) { $0.replacing($1.site, by: $1.matrix) }
  }
}
