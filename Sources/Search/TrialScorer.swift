internal import Checkpoints
package import Evaluation
package import Inference
package import Tensors

/// Scores changes of single matrices, doing only the work that a change makes necessary.
///
/// A search goes from the last layer down. The states that enter a layer are then those of the original model, whatever
/// was kept above it, so they are computed once and kept. Inside the layer that a trial changes, attention, routing and
/// the outputs of the other experts are known; only the tokens of the changed expert are run again, then the layers above.
/// In the last layer, only those tokens' logits are computed. All products have the shapes that a full evaluation gives
/// them, so the score of a trial is, bit for bit, that of the changed model.
package struct TrialScorer {
  /// With all that was kept so far.
  package private(set) var model: Model
  package private(set) var score: Score
  private var rounds: [Round]
  private var isScoreKnown = true

  /// A round's windows under the current model.
  private struct Round {
    /// Into the windows of the search text.
    let indices: [Int]
    let forward: ForwardPass
    /// By layer: the states that enter it.
    let inputs: [Matrix]
    /// −log p of every scored token.
    var likelihoods: [Double]
    /// The entered layer, taken apart.
    var stage: Stage?
  }

  private struct Stage {
    let layer: Int
    /// States after attention.
    let attended: Matrix
    let routing: Routing
    /// What each expert adds for each of its tokens: see `FeedForward`.
    let contributions: Matrix
  }

  /// A trial's outcome over the windows that it ran, with what is needed to keep it.
  package struct Outcome {
    /// The current model and the changed one on the same windows.
    package let before: Score
    package let after: Score
    /// Whether no window was left out. Then `after` has the windows in the order of the text.
    package let isComplete: Bool
    fileprivate let model: Model
    fileprivate let likelihoods: [[Double]]

    package var delta: PairedDelta { PairedDelta(from: before, to: after) }
  }

  /// Runs the model once over all windows and keeps the states that enter each layer from `firstLayer` on.
  package init(
    _ model: Model, _ evaluation: Evaluation, rounds: WindowRounds, firstLayer: Int,
    progress: (Double) throws -> Void = { _ in }
  ) throws {
    let layerCount = model.configuration.layerCount
    let steps = Double(rounds.rounds.count * (layerCount + 1))
    var step = 0.0
    self.model = model
    self.rounds = try rounds.rounds.map { indices in
      let forward = try ForwardPass(model, WindowBatch(indices.map { evaluation.windows[$0] }))
      let states = try forward.embeddings()
      var inputs: [Matrix] = []
      for layer in 0..<layerCount {
        inputs.append(layer < firstLayer ? Matrix(rows: 0, columns: 0) : states.copy())
        try forward.run(layer: layer, states)
        step += 1
        try progress(step / steps)
      }
      let likelihoods = try forward.negativeLogLikelihoods(states)
      step += 1
      try progress(step / steps)
      return Round(indices: indices, forward: forward, inputs: inputs, likelihoods: likelihoods)
    }
    score = Score([])
    score = try Self.complete(self.rounds, self.rounds.map(\.likelihoods))
  }

  /// Makes a changed model the current one without scoring it; the next layer that is entered does that. For changes that
  /// an earlier session kept.
  package mutating func assume(replacing site: Site, by matrix: StoredMatrix) {
    model = model.replacing(site, by: matrix)
    isScoreKnown = false
  }

  /// Takes a layer apart. Layers are entered from the last down: nothing below the layer may have changed.
  package mutating func enter(layer: Int) throws {
    if !isScoreKnown { try scoreCurrentModel(from: layer) }
    for index in rounds.indices {
      let forward = rounds[index].forward.with(model)
      let attended = rounds[index].inputs[layer].copy()
      try forward.attend(layer: layer, attended)
      let feedForward = try FeedForward(model, layer: layer)
      let routing = try feedForward.route(attended)
      let contributions = Matrix(rows: attended.rows * routing.expertsPerToken, columns: attended.columns)
      for expert in routing.slots.indices {
        try feedForward.run(expert: expert, on: attended, routing: routing, into: contributions)
      }
      rounds[index].stage = Stage(layer: layer, attended: attended, routing: routing, contributions: contributions)
    }
  }

  private mutating func scoreCurrentModel(from layer: Int) throws {
    for index in rounds.indices {
      let forward = rounds[index].forward.with(model)
      let states = rounds[index].inputs[layer].copy()
      for layer in layer..<model.configuration.layerCount { try forward.run(layer: layer, states) }
      rounds[index].likelihoods = try forward.negativeLogLikelihoods(states)
    }
    score = try Self.complete(rounds, rounds.map(\.likelihoods))
    isScoreKnown = true
  }

  /// Scores the current model with one matrix of the entered layer replaced.
  ///
  /// - Parameter stops: Asked between rounds, with the delta so far and its windows, whether the trial is to end there.
  package func score(
    replacing site: Site, by matrix: StoredMatrix, stops: (PairedDelta, Int) -> Bool = { _, _ in false }
  ) throws -> Outcome {
    let changed = model.replacing(site, by: matrix)
    var before: [WindowScore] = []
    var after: [WindowScore] = []
    var likelihoods: [[Double]] = []
    for (number, round) in rounds.enumerated() {
      likelihoods.append(try Self.likelihoods(of: changed, site: site, round))
      before += round.indices.map { score.windows[$0] }
      after += try round.forward.batch.scores(likelihoods[number])
      let isLast = number == rounds.count - 1
      if !isLast, stops(PairedDelta(from: Score(before), to: Score(after)), after.count) {
        return Outcome(
          before: Score(before), after: Score(after), isComplete: false, model: changed, likelihoods: likelihoods)
      }
    }
    return Outcome(
      before: score, after: try Self.complete(rounds, likelihoods), isComplete: true, model: changed,
      likelihoods: likelihoods)
  }

  /// Makes the model of a complete trial the current one.
  package mutating func keep(_ outcome: Outcome, changing site: Site) throws {
    precondition(outcome.isComplete, "a trial that was stopped cannot be kept")
    model = outcome.model
    score = outcome.after
    for index in rounds.indices { rounds[index].likelihoods = outcome.likelihoods[index] }
    guard site.role.belongsToExpert else { return try enter(layer: site.layer) }
    for round in rounds {
      guard let stage = round.stage else { continue }
      try FeedForward(model, layer: site.layer).run(
        expert: site.expert ?? 0, on: stage.attended, routing: stage.routing, into: stage.contributions)
    }
  }

  /// −log p of every scored token of a round under a model that differs from the current one at one site.
  private static func likelihoods(of changed: Model, site: Site, _ round: Round) throws -> [Double] {
    guard let stage = round.stage, stage.layer == site.layer else {
      throw SearchError("layer \(site.layer) was not entered")
    }
    let forward = round.forward.with(changed)
    let layerCount = changed.configuration.layerCount
    let states: Matrix
    if site.role.belongsToExpert {
      let expert = site.expert ?? 0
      states = try self.states(of: stage, changing: expert, in: changed)
      if site.layer == layerCount - 1 {
        let tokens = Set(stage.routing.slots[expert].map { $0 / Int32(stage.routing.expertsPerToken) })
        var likelihoods = round.likelihoods
        try forward.update(&likelihoods, of: tokens, states)
        return likelihoods
      }
    } else {
      states = round.inputs[site.layer].copy()
      try forward.run(layer: site.layer, states)
    }
    for layer in (site.layer + 1)..<layerCount { try forward.run(layer: layer, states) }
    return try forward.negativeLogLikelihoods(states)
  }

  /// The states after a layer one of whose experts is changed. The stage is left as it was.
  private static func states(of stage: Stage, changing expert: Int, in changed: Model) throws -> Matrix {
    let slots = stage.routing.slots[expert]
    let unchanged = Matrix(rows: slots.count, columns: stage.contributions.columns)
    gatherRows(stage.contributions, slots[...], into: unchanged)
    try FeedForward(changed, layer: stage.layer).run(
      expert: expert, on: stage.attended, routing: stage.routing, into: stage.contributions)
    let states = stage.attended.copy()
    FeedForward.add(stage.contributions, routing: stage.routing, to: states)
    scatterRows(unchanged, slots[...], weights: Array(repeating: 1, count: slots.count), into: stage.contributions)
    return states
  }

  /// The scores of all rounds, in the order of the text.
  private static func complete(_ rounds: [Round], _ likelihoods: [[Double]]) throws -> Score {
    var windows = Array(repeating: WindowScore(nll: 0, tokens: 0), count: rounds.reduce(0) { $0 + $1.indices.count })
    for (round, likelihoods) in zip(rounds, likelihoods) {
      for (index, window) in zip(round.indices, try round.forward.batch.scores(likelihoods)) { windows[index] = window }
    }
    return Score(windows)
  }
}
