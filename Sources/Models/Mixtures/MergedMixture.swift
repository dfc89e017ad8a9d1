package import Checkpoints
package import Tensors

/// The mixture that dense models of one shape become when the feed-forward layers of each are made an expert, with
/// everything else of the base's.
package struct MergedMixture: Sendable {
  /// Where a tensor of the mixture comes from.
  package enum Origin: Sendable {
    /// The base's tensor.
    case base(TensorReference)
    /// A parent's feed-forward matrix, as the parent names it; `isOutput` for w2, which writes into the residual
    /// stream. The shared expert has the number after the others'.
    case expert(Int, TensorReference, isOutput: Bool)
    /// The rows are to be made.
    case router(layer: Int)
    /// The one row that weighs the shared expert is to be made.
    case sharedGate(layer: Int)
  }

  package struct Tensor: Sendable {
    package let name: String
    package let shape: [Int]
    package let origin: Origin
  }

  package let tensors: [Tensor]
  /// config.json.
  package let configuration: JSON

  /// - Parameters:
  ///   - base: A dense model of an architecture that merges.
  ///   - expertCount: The experts that the router chooses from.
  ///   - type: What all tensors of the mixture are stored in.
  /// - Throws: `CheckpointError` for a base that no mixture can hold.
  package init(
    base: Model, expertCount: Int, expertsPerToken: Int, type: ElementType
  ) throws(CheckpointError) {
    let family = try Family(of: base.checkpoint)
    configuration = Self.description(
      of: family, base: base, expertCount: expertCount, expertsPerToken: expertsPerToken, type: type)
    let file = Configuration(file: base.checkpoint.configuration.file, json: configuration)
    let layout = try family.architecture.layout(
      family.architecture.configuration(file), file, contains: { _ in false })
    tensors = Self.tensors(base, layout)
  }

  /// - Parameter layout: The mixture's.
  private static func tensors(_ base: Model, _ layout: TensorLayout) -> [Tensor] {
    var result: [Tensor] = []
    func append(_ reference: TensorReference, _ origin: Origin) {
      result.append(Tensor(name: reference.tensor, shape: [reference.rows, reference.columns], origin: origin))
    }
    var seen: Set<String> = []
    for (number, (layer, dense)) in zip(layout.layers, base.layout.layers.map { $0.experts[0] }).enumerated() {
      if let router = layer.router { append(router, .router(layer: number)) }
      if let gate = layer.shared?.gate { append(gate, .sharedGate(layer: number)) }
      for (expert, matrices) in layer.allExperts.enumerated() {
        for (target, source) in zip(matrices.all, dense.all) {
          append(target, .expert(expert, source, isOutput: source == dense.down))
        }
      }
      seen.formUnion(dense.all.map(\.tensor))
    }
    // All else is the base's, under its name. Tied embeddings are one tensor under two references.
    let vectors = base.layout.vectors
    for reference in base.layout.all where seen.insert(reference.tensor).inserted {
      let shape = vectors.contains(reference) ? [reference.columns] : [reference.rows, reference.columns]
      result.append(Tensor(name: reference.tensor, shape: shape, origin: .base(reference)))
    }
    return result
  }
}
