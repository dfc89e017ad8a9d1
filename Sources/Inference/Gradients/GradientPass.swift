package import Models
package import Tensors

/// A backward pass, layer by layer from the last to the first, with the gradient of a weighted sum of −log p over all
/// scored tokens, in nats.
///
/// Nothing is kept from the forward pass but the states that enter each layer; what happened inside is computed again.
/// Gradients are (tokens, hidden). Where tokens go is taken as given: the choice of experts has no gradient, their
/// weights have.
package struct GradientPass: Sendable {
  private let forward: ForwardPass

  package init(_ forward: ForwardPass) { self.forward = forward }

  /// The gradient with respect to the states after the last layer.
  ///
  /// - Parameters:
  ///   - weights: Of each scored token; nil for 1 each.
  ///   - checkpoint: Called every now and then; may throw to end the work.
  package func gradient(
    ofLast states: Matrix, weights: [Double]? = nil, checkpoint: () throws -> Void = {}
  ) throws -> Matrix {
    let (rows, targets) = forward.batch.predictions
    precondition(weights.map { $0.count == rows.count } ?? true, "one weight for each scored token")
    return try VocabularyHead(forward.model).gradient(
      states, rows: rows, targets: targets, weights: weights ?? Array(repeating: 1, count: rows.count),
      checkpoint: checkpoint)
  }

  /// Propagates the gradient from a layer's output to its input, in place.
  ///
  /// - Parameters:
  ///   - states: What enters the layer; left as it is.
  ///   - roles: What is observed of the layer's sites.
  ///   - checkpoint: Called every now and then; may throw to end the work, after which the gradient is of no use.
  ///   - observe: Called with each of those sites, as far as tokens come there.
  package func run(
    layer: Int, _ states: Matrix, _ gradient: Matrix, observing roles: Set<Role> = [],
    checkpoint: () throws -> Void = {},
    _ observe: (SiteGradient) throws -> Void
  ) throws {
    let model = forward.model
    func report(
      _ role: Role, expert: Int?, inputs: Matrix, gradients: Matrix, tokens: [Int32]
    ) throws {
      guard roles.contains(role) else { return }
      let site = Site(layer: layer, expert: expert, role: role)
      try observe(SiteGradient(site: site, inputs: inputs, gradients: gradients, tokens: tokens))
    }
    try checkpoint()
    let attended = states.copy()
    try forward.attend(layer: layer, attended)
    try checkpoint()
    let feedForward = try FeedForward(model, layer: layer)
    try feedForward.propagate(
      gradient, through: attended, try feedForward.route(attended), checkpoint: checkpoint, report)
    try checkpoint()
    if case .delta(let layout) = model.layout.layers[layer].attention {
      try DeltaGradient(model, layer: layer, layout).propagate(
        gradient, through: states, batch: forward.batch, checkpoint: checkpoint, report)
    } else {
      try AttentionGradient(model, layer: layer).propagate(
        gradient, through: states, batch: forward.batch, rotary: forward.rotary, checkpoint: checkpoint, report)
    }
  }
}
