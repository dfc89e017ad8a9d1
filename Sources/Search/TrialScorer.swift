internal import Checkpoints
package import Evaluation
package import Inference
internal import RankReduction
package import Tensors

/// Scores changes of single matrices, doing only the work that a change makes necessary.
///
/// The states that enter each layer are kept. What is changed in a layer does not change those that enter it or a layer
/// below: a search that goes from the last layer down never computes them again. Inside the layer that a trial changes,
/// attention, routing and the outputs of the other experts are known; only the tokens of the changed expert are run again,
/// then the layers above. In the last layer, only those tokens' logits are computed. The score of a trial is, bit for bit,
/// that of the changed model.
///
/// Windows are run in parts whose states fit the memory; what is kept beyond it lies in a scratch file.
package struct TrialScorer {
  /// With all that was kept so far.
  package private(set) var model: Model
  /// Of that model.
  package private(set) var score: Score
  /// Of the model that the scorer began with.
  package let original: Score
  private var parts: [Part]
  /// The parts of each round of windows.
  private let rounds: [Range<Int>]
  /// Of the states that enter layers.
  private let inputs: StateStore
  /// Of the entered layer.
  private let stages: StateStore
  /// Where matrices that were kept lie on disk; nil where there is memory for all weights.
  private let asideFolder: String?
  private var isScoreKnown = true
  /// Layers below this one have kept inputs that are those of the current model.
  private var currentInputs: Int
  private var enteredLayer: Int?

  /// A round's windows, or some of them, under the current model.
  private struct Part {
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
    let attended: StateStore.Kept
    let routing: Routing
    /// What each expert adds for each of its tokens: see `FeedForward`.
    let contributions: StateStore.Kept
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
    /// By part.
    fileprivate let likelihoods: [[Double]]

    package var evidence: TrialEvidence { TrialEvidence(original: original, before: before, after: after) }
  }

  /// Runs the model once over all windows and keeps the states that enter each layer from `firstLayer` on.
  ///
  /// - Parameters:
  ///   - memory: Bytes that the scorer may take, the weights in use among them: see `MemoryPlan`. Kept states beyond it go
  ///     to a file in the scratch folder.
  ///   - others: Bytes of it that the caller takes for something else.
  /// - Throws: `MemoryPlan.TooSmall` if that is not enough for one window.
  package init(
    _ model: Model, _ evaluation: Evaluation, rounds: WindowRounds, firstLayer: Int, memory: Int = .max, others: Int = 0,
    scratchFolder: String = "/tmp", progress: (Double) throws -> Void = { _ in }
  ) throws {
    let layerCount = model.configuration.layerCount
    let bytesPerToken =
      model.bytesOfStep + model.bytesOfStage + model.configuration.hiddenSize * MemoryLayout<Float>.stride
    let plan = try MemoryPlan(
      bytes: memory, models: [model], window: evaluation.longestWindow, bytesPerToken: bytesPerToken, others: others)
    // Half for what is run, if it needs that much; the rest for what is kept, the entered layer's first.
    let tokenCount = evaluation.windows.reduce(0) { $0 + $1.tokens.count }
    let limit = max(evaluation.longestWindow, plan.tokens(bytesEach: bytesPerToken, share: 2))
    let kept = plan.states - min(limit, tokenCount) * bytesPerToken
    let stageBytes = min(kept, tokenCount * model.bytesOfStage)
    let inputs = StateStore(memory: kept - stageBytes, folder: scratchFolder)
    let model = model.within(plan)
    var pieces: [[Int]] = []
    var ranges: [Range<Int>] = []
    for round in rounds.rounds {
      let start = pieces.count
      pieces += Self.pieces(of: round, limit: limit) { evaluation.windows[$0].tokens.count }
      ranges.append(start..<pieces.count)
    }
    let steps = Double(pieces.count * (layerCount + 1))
    var step = 0.0
    self.model = model
    asideFolder = plan.streams ? scratchFolder : nil
    self.inputs = inputs
    stages = StateStore(memory: stageBytes, folder: scratchFolder)
    self.rounds = ranges
    parts = try pieces.map { indices in
      let forward = try ForwardPass(model, WindowBatch(indices.map { evaluation.windows[$0] }))
      let states = try forward.embeddings()
      var kept: [StateStore.Kept] = []
      for layer in 0..<layerCount {
        kept.append(layer < firstLayer ? .inMemory(Matrix(rows: 0, columns: 0)) : try inputs.keep(states))
        try forward.run(layer: layer, states)
        step += 1
        try progress(step / steps)
      }
      let likelihoods = try forward.negativeLogLikelihoods(states)
      step += 1
      try progress(step / steps)
      return Part(indices: indices, forward: forward, inputs: kept, likelihoods: likelihoods)
    }
    currentInputs = layerCount
    original = try Self.complete(parts, parts.map(\.likelihoods))
    score = original
  }

  /// A round's windows in pieces of at most so many tokens, or of one window.
  private static func pieces(of round: [Int], limit: Int, tokens: (Int) -> Int) -> [[Int]] {
    var result: [[Int]] = []
    var free = 0
    for index in round {
      let count = tokens(index)
      if result.isEmpty || count > free {
        result.append([])
        free = limit
      }
      result[result.count - 1].append(index)
      free -= count
    }
    return result
  }

  /// Makes a changed model the current one without scoring it; the next layer that is entered does that. For changes that
  /// an earlier session kept.
  package mutating func assume(replacing site: Site, by matrix: StoredMatrix) throws {
    model = model.replacing(site, by: try aside(matrix))
    isScoreKnown = false
    leaveLayer()
    currentInputs = min(currentInputs, site.layer + 1)
  }

  /// Takes a layer apart, unless it is already.
  package mutating func enter(layer: Int) throws {
    guard enteredLayer != layer else { return }
    leaveLayer()
    if layer >= currentInputs { try refreshInputs(upTo: layer) }
    if !isScoreKnown { try scoreCurrentModel(from: layer) }
    for index in parts.indices {
      let forward = parts[index].forward.with(model)
      let attended = try inputs.load(parts[index].inputs[layer])
      try forward.attend(layer: layer, attended)
      let feedForward = try FeedForward(model, layer: layer)
      let routing = try feedForward.route(attended)
      let contributions = Matrix(rows: attended.rows * routing.expertsPerToken, columns: attended.columns)
      for expert in routing.slots.indices {
        try feedForward.run(expert: expert, on: attended, routing: routing, into: contributions)
      }
      parts[index].stage = Stage(
        layer: layer, attended: try stages.keep(attended, copied: false), routing: routing,
        contributions: try stages.keep(contributions, copied: false))
    }
    enteredLayer = layer
  }

  private func aside(_ matrix: StoredMatrix) throws -> StoredMatrix {
    try asideFolder.map { try matrix.aside(in: $0) } ?? matrix
  }

  private mutating func leaveLayer() {
    for index in parts.indices {
      guard let stage = parts[index].stage else { continue }
      stages.drop(stage.attended)
      stages.drop(stage.contributions)
      parts[index].stage = nil
    }
    enteredLayer = nil
  }

  /// Changes were kept below: the states that enter the layers above them are other ones now.
  private mutating func refreshInputs(upTo layer: Int) throws {
    for part in parts {
      let forward = part.forward.with(model)
      let states = try inputs.load(part.inputs[currentInputs - 1])
      for below in (currentInputs - 1)..<layer {
        try forward.run(layer: below, states)
        try inputs.replace(part.inputs[below + 1], with: states)
      }
    }
    currentInputs = layer + 1
  }

  private mutating func scoreCurrentModel(from layer: Int) throws {
    for index in parts.indices {
      let forward = parts[index].forward.with(model)
      let states = try inputs.load(parts[index].inputs[layer])
      for layer in layer..<model.configuration.layerCount { try forward.run(layer: layer, states) }
      parts[index].likelihoods = try forward.negativeLogLikelihoods(states)
    }
    score = try Self.complete(parts, parts.map(\.likelihoods))
    isScoreKnown = true
  }

  /// Scores the current model with one matrix of the entered layer replaced.
  ///
  /// - Parameter stops: Asked between rounds, with what the windows so far say, whether the trial is to end there.
  package func score(
    replacing site: Site, by matrix: StoredMatrix, stops: (TrialEvidence) -> Bool = { _ in false }
  ) throws -> Outcome {
    let changed = model.replacing(site, by: matrix)
    var likelihoods: [[Double]] = []
    for (number, round) in rounds.enumerated() {
      for part in parts[round] { likelihoods.append(try self.likelihoods(of: changed, site: site, part)) }
      guard number < rounds.count - 1 else { break }
      let outcome = try outcome(of: changed, after: likelihoods)
      if stops(outcome.evidence) { return outcome }
    }
    return Outcome(
      original: original, before: score, after: try Self.complete(parts, likelihoods), isComplete: true,
      model: changed, likelihoods: likelihoods)
  }

  /// Of a trial that has run the first parts.
  private func outcome(of changed: Model, after likelihoods: [[Double]]) throws -> Outcome {
    let indices = parts[..<likelihoods.count].flatMap(\.indices)
    let after = try zip(parts, likelihoods).flatMap { try $0.forward.batch.scores($1) }
    return Outcome(
      original: Score(indices.map { original.windows[$0] }), before: Score(indices.map { score.windows[$0] }),
      after: Score(after), isComplete: false, model: changed, likelihoods: likelihoods)
  }

  /// Makes the model of a complete trial the current one.
  package mutating func keep(_ outcome: Outcome, changing site: Site) throws {
    precondition(outcome.isComplete, "a trial that was stopped cannot be kept")
    model = model.replacing(site, by: try aside(outcome.model.stored(model.reference(of: site))))
    score = outcome.after
    currentInputs = min(currentInputs, site.layer + 1)
    for index in parts.indices { parts[index].likelihoods = outcome.likelihoods[index] }
    guard site.role.part != .attention else {
      leaveLayer()
      return try enter(layer: site.layer)
    }
    for part in parts {
      guard let stage = part.stage else { continue }
      let contributions = try stages.lend(stage.contributions)
      try FeedForward(model, layer: site.layer).run(
        expert: stage.routing.expert(of: site), on: stages.lend(stage.attended), routing: stage.routing,
        into: contributions)
      if case .onDisk = stage.contributions { try stages.replace(stage.contributions, with: contributions) }
    }
  }

  /// −log p of every scored token of a part under a model that differs from the current one at one site.
  private func likelihoods(of changed: Model, site: Site, _ part: Part) throws -> [Double] {
    guard let stage = part.stage, stage.layer == site.layer else {
      throw SearchError("layer \(site.layer) was not entered")
    }
    let forward = part.forward.with(changed)
    let layerCount = changed.configuration.layerCount
    let states: Matrix
    if site.role.part != .attention {
      let expert = stage.routing.expert(of: site)
      states = try self.states(of: stage, changing: expert, in: changed)
      if site.layer == layerCount - 1 {
        let tokens = Set(stage.routing.slots[expert].map { $0 / Int32(stage.routing.expertsPerToken) })
        var likelihoods = part.likelihoods
        try forward.update(&likelihoods, of: tokens, states)
        return likelihoods
      }
    } else {
      states = try inputs.load(part.inputs[site.layer])
      try forward.run(layer: site.layer, states)
    }
    for layer in (site.layer + 1)..<layerCount { try forward.run(layer: layer, states) }
    return try forward.negativeLogLikelihoods(states)
  }

  /// The states after a layer one of whose experts is changed. The stage is left as it was.
  private func states(of stage: Stage, changing expert: Int, in changed: Model) throws -> Matrix {
    let slots = stage.routing.slots[expert]
    let contributions = try stages.lend(stage.contributions)
    let attended = try stages.lend(stage.attended)
    let unchanged = Matrix(rows: slots.count, columns: contributions.columns)
    gatherRows(contributions, slots[...], into: unchanged)
    try FeedForward(changed, layer: stage.layer).run(
      expert: expert, on: attended, routing: stage.routing, into: contributions)
    let states = attended.copy()
    FeedForward.add(contributions, perToken: stage.routing.expertsPerToken, to: states)
    scatterRows(unchanged, slots[...], weights: Array(repeating: 1, count: slots.count), into: contributions)
    return states
  }

  /// The scores of all parts, in the order of the text.
  private static func complete(_ parts: [Part], _ likelihoods: [[Double]]) throws -> Score {
    var windows = Array(repeating: WindowScore(nll: 0, tokens: 0), count: parts.reduce(0) { $0 + $1.indices.count })
    for (part, likelihoods) in zip(parts, likelihoods) {
      for (index, window) in zip(part.indices, try part.forward.batch.scores(likelihoods)) { windows[index] = window }
    }
    return Score(windows)
  }
}
