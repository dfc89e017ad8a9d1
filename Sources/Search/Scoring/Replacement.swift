package import Models
package import Tensors

/// A matrix that takes the place of a model's: what a trial changes.
package struct Replacement: Sendable {
  package let site: Site
  package let matrix: StoredMatrix

  package init(_ site: Site, by matrix: StoredMatrix) { (self.site, self.matrix) = (site, matrix) }

  /// Whether it lies in an expert: attention and routing of the layer stay as they are then.
  var changesOnlyAnExpert: Bool { site.role.part != .attention }
}

/// A model with one of its matrices replaced.
struct ChangedModel {
  let replacement: Replacement
  let model: Model

  init(_ model: Model, _ replacement: Replacement) {
    self.replacement = replacement
    self.model = model.replacing(replacement.site, by: replacement.matrix)
  }
}
