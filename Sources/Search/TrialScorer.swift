internal import Checkpoints
package import Evaluation
package import Inference
package import Tensors

/// Scores changes of single matrices, doing only the work that a change makes necessary.
///
/// The states that enter each layer are kept. What is changed in a layer does not change those that enter it or a layer
/// below: a search that goes from the last layer down never computes them again. Inside the layer that a trial changes,
/// attention, routing and the outputs of the other experts are known; only the tokens of the changed expert are run again,
/// then the layers above. In the last layer, only those tokens' logits are computed. All products have the shapes that a
/// full evaluation gives them, so the score of a trial is, bit for bit, that of the changed model.
package struct TrialScorer {
  /// With all that was kept so far.
  package private(set) var model: Model
  /// Of that model.
  package private(set) var score: Score
  /// Of the model that the scorer began with.
  package let original: Score
  private var rounds: [Round]
  private let store: StateStore
  private var isScoreKnown = true
  /// Layers below this one have kept inputs that are those of the current model.
  private var currentInputs: Int
  private var enteredLayer: Int?

  /// A round's windows under the current model.
  private struct Round {
    /// Into the windows of the search text.
    let indices: [Int]
    let forward: ForwardPass
    /// By layer: the states that enter it.
    let inputs: [StateStore.Kept]
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
    /// The model that the scorer began with, the current one and the changed one on the same windows.
    package let original: Score
    package let before: Score
    package let after: Score
    /// Whether no window was left out. Then `after` has the windows in the order of the text.
    package let isComplete: Bool
    fileprivate let model: Model
    fileprivate let likelihoods: [[Double]]

    package var evidence: TrialEvidence { TrialEvidence(original: original, before: before, after: after) }
  }

  /// Runs the model once over all windows and keeps the states that enter each layer from `firstLayer` on.
  ///
  /// - Parameters:
  ///   - memory: Bytes that kept states may take; more of them go to a file in the scratch folder.
  package init(
    _ model: Model, _ evaluation: Evaluation, rounds: WindowRounds, firstLayer: Int, memory: Int = .max,
    scratchFolder: String = "/tmp", progress: (Double) throws -> Void = { _ in }
  ) throws {
    let layerCount = model.configuration.layerCount
    let store = StateStore(memory: memory, folder: scratchFolder)
    let steps = Double(rounds.rounds.count * (layerCount + 1))
    var step = 0.0
    self.model = model
    self.rounds = try rounds.rounds.map { indices in
      let forward = try ForwardPass(model, WindowBatch(indices.map { evaluation.windows[$0] }))
      let states = try forward.embeddings()
      var inputs: [StateStore.Kept] = []
      for layer in 0..<layerCount {
        inputs.append(layer < firstLayer ? .inMemory(Matrix(rows: 0, columns: 0)) : try store.keep(states))
        try forward.run(layer: layer, states)
        step += 1
        try progress(step / steps)
      }
      let likelihoods = try forward.negativeLogLikelihoods(states)
      step += 1
      try progress(step / steps)
      return Round(indices: indices, forward: forward, inputs: inputs, likelihoods: likelihoods)
    }
    self.store = store
    currentInputs = layerCount
    original = try Self.complete(self.rounds, self.rounds.map(\.likelihoods))
    score = original
  }

  /// Makes a changed model the current one without scoring it; the next layer that is entered does that. For changes that
  /// an earlier session kept.
  package mutating func assume(replacing site: Site, by matrix: StoredMatrix) {
    model = model.replacing(site, by: matrix)
    isScoreKnown = false
    enteredLayer = nil
    currentInputs = min(currentInputs, site.layer + 1)
  }

  /// Takes a layer apart, unless it is already.
  package mutating func enter(layer: Int) throws {
    guard enteredLayer != layer else { return }
    if layer >= currentInputs { try refreshInputs(upTo: layer) }
    if !isScoreKnown { try scoreCurrentModel(from: layer) }
    for index in rounds.indices {
      let forward = rounds[index].forward.with(model)
      let attended = try store.load(rounds[index].inputs[layer])
      try forward.attend(layer: layer, attended)
      let feedForward = try FeedForward(model, layer: layer)
      let routing = try feedForward.route(attended)
      let contributions = Matrix(rows: attended.rows * routing.expertsPerToken, columns: attended.columns)
      for expert in routing.slots.indices {
        try feedForward.run(expert: expert, on: attended, routing: routing, into: contributions)
      }
      rounds[index].stage = Stage(layer: layer, attended: attended, routing: routing, contributions: contributions)
    }
    enteredLayer = layer
  }

  /// Changes were kept below: the states that enter the layers above them are other ones now.
  private mutating func refreshInputs(upTo layer: Int) throws {
    for round in rounds {
      let forward = round.forward.with(model)
      let states = try store.load(round.inputs[currentInputs - 1])
      for below in (currentInputs - 1)..<layer {
        try forward.run(layer: below, states)
        try store.replace(round.inputs[below + 1], with: states)
      }
    }
    currentInputs = layer + 1
  }

  private mutating func scoreCurrentModel(from layer: Int) throws {
    for index in rounds.indices {
      let forward = rounds[index].forward.with(model)
      let states = try store.load(rounds[index].inputs[layer])
      for layer in layer..<model.configuration.layerCount { try forward.run(layer: layer, states) }
      rounds[index].likelihoods = try forward.negativeLogLikelihoods(states)
    }
    score = try Self.complete(rounds, rounds.map(\.likelihoods))
    isScoreKnown = true
  }

  /// Scores the current model with one matrix of the entered layer replaced.
  ///
  /// - Parameter stops: Asked between rounds, with what the windows so far say, whether the trial is to end there.
  package func score(
    replacing site: Site, by matrix: StoredMatrix, stops: (TrialEvidence) -> Bool = { _ in false }
  ) throws -> Outcome {
    let changed = model.replacing(site, by: matrix)
    var original: [WindowScore] = []
    var before: [WindowScore] = []
    var after: [WindowScore] = []
    var likelihoods: [[Double]] = []
    for (number, round) in rounds.enumerated() {
      likelihoods.append(try self.likelihoods(of: changed, site: site, round))
      original += round.indices.map { self.original.windows[$0] }
      before += round.indices.map { score.windows[$0] }
      after += try round.forward.batch.scores(likelihoods[number])
      let isLast = number == rounds.count - 1
      guard !isLast else { break }
      let outcome = Outcome(
        original: Score(original), before: Score(before), after: Score(after), isComplete: false, model: changed,
        likelihoods: likelihoods)
      if stops(outcome.evidence) { return outcome }
    }
    return Outcome(
      original: self.original, before: score, after: try Self.complete(rounds, likelihoods), isComplete: true,
      model: changed,
      likelihoods: likelihoods)
  }

  /// Makes the model of a complete trial the current one.
  package mutating func keep(_ outcome: Outcome, changing site: Site) throws {
    precondition(outcome.isComplete, "a trial that was stopped cannot be kept")
    model = outcome.model
    score = outcome.after
    currentInputs = min(currentInputs, site.layer + 1)
    for index in rounds.indices { rounds[index].likelihoods = outcome.likelihoods[index] }
    guard site.role.part != .attention else {
      enteredLayer = nil
      return try enter(layer: site.layer)
    }
    for round in rounds {
      guard let stage = round.stage else { continue }
      try FeedForward(model, layer: site.layer).run(
        expert: stage.routing.expert(of: site), on: stage.attended, routing: stage.routing, into: stage.contributions)
    }
  }

  /// −log p of every scored token of a round under a model that differs from the current one at one site.
  private func likelihoods(of changed: Model, site: Site, _ round: Round) throws -> [Double] {
    guard let stage = round.stage, stage.layer == site.layer else {
      throw SearchError("layer \(site.layer) was not entered")
    }
    let forward = round.forward.with(changed)
    let layerCount = changed.configuration.layerCount
    let states: Matrix
    if site.role.part != .attention {
      let expert = stage.routing.expert(of: site)
      states = try Self.states(of: stage, changing: expert, in: changed)
      if site.layer == layerCount - 1 {
        let tokens = Set(stage.routing.slots[expert].map { $0 / Int32(stage.routing.expertsPerToken) })
        var likelihoods = round.likelihoods
        try forward.update(&likelihoods, of: tokens, states)
        return likelihoods
      }
    } else {
      states = try store.load(round.inputs[site.layer])
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
