internal import Evaluation
internal import Inference
internal import Models
internal import Tensors

/// Some windows of the search text under the current model, with the activations that trials start from: all that is
/// needed to score a change on these windows. Shards know nothing of each other.
///
/// The states that enter each layer are kept. One layer at a time is *entered*: taken apart into its states after
/// attention, its routing and every expert's contribution, so that a change of one expert runs that expert's tokens
/// only.
final class WindowShard {
  /// Into the windows of the search text.
  let indices: [Int]
  private(set) var forward: ForwardPass
  private let metric: any Metric
  private let stores: Stores
  /// By layer: the states that enter it.
  private let inputs: [ActivationStore.Handle]
  /// What every scored token gets under the current model.
  var likelihoods: [TokenLikelihood]
  private var entered: LayerActivations?

  /// Where the activations of all shards lie.
  struct Stores {
    /// The states that enter layers.
    let inputs: ActivationStore
    /// The entered layer.
    let layer: ActivationStore
  }

  /// A layer taken apart.
  private struct LayerActivations {
    let layer: Int
    /// States after attention.
    let attended: ActivationStore.Handle
    let routing: Routing
    /// What each expert adds for each of its tokens: see `FeedForward`.
    let contributions: ActivationStore.Handle
  }

  /// Runs the model over the windows and keeps the states that enter each layer from `firstLayer` on.
  ///
  /// - Parameter advance: Called after each layer and the vocabulary.
  init(
    _ model: Model, _ indices: [Int], of text: Evaluation, firstLayer: Int, stores: Stores, advance: () throws -> Void
  ) throws {
    self.indices = indices
    metric = text.metric
    self.stores = stores
    forward = try ForwardPass(model, WindowBatch(indices.map { text.windows[$0] }))
    let states = try forward.embeddings()
    var inputs: [ActivationStore.Handle] = []
    for layer in 0..<model.configuration.layerCount {
      inputs.append(layer < firstLayer ? .empty : try stores.inputs.keep(states))
      try forward.run(layer: layer, states)
      try advance()
    }
    self.inputs = inputs
    likelihoods = try forward.likelihoods(states)
    try advance()
  }

  private var lastLayer: Int { forward.model.configuration.layerCount - 1 }
  var windows: [WindowBatch.Window] { forward.batch.windows }
  var tokenCount: Int { forward.batch.tokens.count }

  /// What the loss changes by with each scored token's −log p, under the current model.
  var lossGradients: [Double] { metric.gradients(of: forward.batch, likelihoods) }

  /// What the metric makes of likelihoods of these windows.
  func samples(_ likelihoods: [TokenLikelihood]) throws -> [WindowScore] {
    try metric.samples(of: forward.batch, likelihoods)
  }

  func samples(ofTrial likelihoods: [TokenLikelihood]) throws -> [WindowScore] {
    try metric.samples(ofTrial: forward.batch, likelihoods)
  }

  /// A copy of the states that enter a layer, of all windows or of some rows.
  func states(entering layer: Int, rows: Range<Int>? = nil) throws -> Matrix {
    guard let rows else { return try stores.inputs.load(inputs[layer]) }
    return try stores.inputs.lend(inputs[layer])[rows: rows].copy()
  }

  // MARK: The current model

  /// Takes a changed model as the current one. What was kept of layers above its changes is stale then.
  func use(_ model: Model) { forward = forward.with(model) }

  /// Takes a layer apart.
  func enter(layer: Int) throws {
    leave()
    let attended = try states(entering: layer)
    try forward.attend(layer: layer, attended)
    let feedForward = try FeedForward(forward.model, layer: layer)
    var routing = try feedForward.route(attended)
    routing.logits = nil
    let contributions = Matrix(unfilled: attended.rows * routing.expertsPerToken, columns: attended.columns)
    for expert in routing.slots.indices {
      try feedForward.run(expert: expert, on: attended, routing: routing, into: contributions)
    }
    entered = LayerActivations(
      layer: layer, attended: try stores.layer.keep(attended, copied: false), routing: routing,
      contributions: try stores.layer.keep(contributions, copied: false))
  }

  func leave() {
    guard let entered else { return }
    stores.layer.drop(entered.attended)
    stores.layer.drop(entered.contributions)
    self.entered = nil
  }

  /// Brings the entered layer up to date after one of its experts was changed in the current model.
  func updateExpert(at site: Site) throws {
    guard let entered else { return }
    try stores.layer.update(entered.contributions) { contributions in
      let attended = try stores.layer.lend(entered.attended)
      let feedForward = try FeedForward(forward.model, layer: entered.layer)
      try feedForward.run(
        expert: entered.routing.expert(of: site), on: attended, routing: entered.routing, into: contributions)
    }
  }

  /// Computes the states that enter some layers anew, from those that enter the layer below them.
  func refreshInputs(of layers: ClosedRange<Int>) throws {
    let states = try states(entering: layers.lowerBound - 1)
    for layer in layers {
      try forward.run(layer: layer - 1, states)
      try stores.inputs.replace(inputs[layer], with: states)
    }
  }

  /// Scores the current model anew, from the states that enter a layer.
  func refreshLikelihoods(from layer: Int) throws {
    likelihoods = try likelihoods(forward, from: layer, try states(entering: layer))
  }

  // MARK: Changed models

  /// What every scored token gets under a model that differs from the current one by one matrix.
  func likelihoods(of changed: ChangedModel) throws -> [TokenLikelihood] {
    let (site, layer) = (changed.replacement.site, changed.replacement.site.layer)
    let states = try states(after: layer, in: changed)
    guard layer == lastLayer, let entered, entered.layer == layer, changed.replacement.changesOnlyAnExpert
    else { return try likelihoods(forward.with(changed.model), from: layer + 1, states) }
    // In the last layer, only logits of the changed expert's tokens are other ones.
    let slots = entered.routing.slots[entered.routing.expert(of: site)]
    var result = likelihoods
    try forward.with(changed.model).update(
      &result, of: Set(slots.map { $0 / Int32(entered.routing.expertsPerToken) }), states)
    return result
  }

  /// The same of several models that differ from the current one in a layer: above it they are all the same, and run as
  /// one.
  func likelihoods(of models: [ChangedModel], in layer: Int) throws -> [[TokenLikelihood]] {
    guard models.count > 1 else { return try models.map { try likelihoods(of: $0) } }
    let stacked = Matrix(unfilled: models.count * tokenCount, columns: forward.model.configuration.hiddenSize)
    for (index, changed) in models.enumerated() {
      stacked[rows: index * tokenCount..<(index + 1) * tokenCount].assign(try states(after: layer, in: changed))
    }
    let pass = try ForwardPass(forward.model, WindowBatch(models.flatMap { _ in windows }))
    let all = try likelihoods(pass, from: layer + 1, stacked)
    let count = all.count / models.count
    return models.indices.map { Array(all[$0 * count..<($0 + 1) * count]) }
  }

  private func likelihoods(_ forward: ForwardPass, from layer: Int, _ states: Matrix) throws -> [TokenLikelihood] {
    for layer in layer..<lastLayer + 1 { try forward.run(layer: layer, states) }
    return try forward.likelihoods(states)
  }

  /// The states after the changed layer.
  private func states(after layer: Int, in changed: ChangedModel) throws -> Matrix {
    if let entered, entered.layer == layer, changed.replacement.changesOnlyAnExpert {
      return try states(
        of: entered, changing: entered.routing.expert(of: changed.replacement.site), in: changed.model)
    }
    let states = try states(entering: layer)
    try forward.with(changed.model).run(layer: layer, states)
    return states
  }

  /// The states after the entered layer when one of its experts is changed. What is kept of it is left as it was.
  private func states(of entered: LayerActivations, changing expert: Int, in changed: Model) throws -> Matrix {
    let slots = entered.routing.slots[expert][...]
    let contributions = try stores.layer.lend(entered.contributions)
    let attended = try stores.layer.lend(entered.attended)
    let feedForward = try FeedForward(changed, layer: entered.layer)
    let before = Matrix(unfilled: slots.count, columns: contributions.columns)
    gatherRows(contributions, slots, into: before)
    try feedForward.run(expert: expert, on: attended, routing: entered.routing, into: contributions)
    let states = attended.copy()
    feedForward.add(contributions, perToken: entered.routing.expertsPerToken, to: states)
    scatterRows(before, slots, weights: Array(repeating: 1, count: slots.count), into: contributions)
    return states
  }
}
