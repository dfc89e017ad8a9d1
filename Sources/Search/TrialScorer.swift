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
  /// Whether `score` is that of `model`.
  private(set) var isScoreKnown = true
  /// Tokens that may be run at once.
  private let limit: Int
  /// Tokens whose gradients may be computed at once.
  private let gradientLimit: Int
  /// Whether later ranks of a site are run along with the one that is tried: see `score`. Set where weights are read from
  /// disk over and over; where they are in memory, what is run in vain costs what is gained.
  package var runsRanksTogether: Bool
  private static let mostRanksTogether = 4
  private var ahead: Ahead?
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

  /// What was computed for ranks of a site that are yet to be tried.
  private struct Ahead {
    let site: Site
    var variants: [Int: Variant]
  }

  private struct Variant {
    let model: Model
    /// By part, of whole rounds.
    var likelihoods: [[Double]]
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
    _ model: Model, _ evaluation: Evaluation, rounds: WindowRounds, firstLayer: Int, memory: Int = .max,
    others: Int = 0,
    scratchFolder: String = "/tmp", progress: (Double) throws -> Void = { _ in }
  ) throws {
    let layerCount = model.configuration.layerCount
    let bytesPerToken = Self.bytesPerToken(model)
    let plan = try Self.memoryPlan(model, evaluation, memory: memory, others: others)
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
    self.limit = limit
    gradientLimit = max(1, (plan.states / 2 - model.bytesOfGradientWeights) / model.bytesOfGradient)
    runsRanksTogether = plan.streams
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

  private static func bytesPerToken(_ model: Model) -> Int {
    model.bytesOfStep + model.bytesOfStage + model.configuration.hiddenSize * MemoryLayout<Float>.stride
  }

  /// How a scorer divides the memory it may take.
  static func memoryPlan(
    _ model: Model, _ evaluation: Evaluation, memory: Int, others: Int
  ) throws(MemoryPlan.TooSmall) -> MemoryPlan {
    try MemoryPlan(
      bytes: memory, models: [model], window: evaluation.longestWindow, bytesPerToken: bytesPerToken(model),
      others: others)
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
    try assume(replacing: [(site, matrix)])
  }

  /// The same with several matrices.
  package mutating func assume(replacing changes: [(site: Site, matrix: StoredMatrix)]) throws {
    for (site, matrix) in changes {
      model = model.replacing(site, by: try aside(matrix))
      currentInputs = min(currentInputs, site.layer + 1)
    }
    isScoreKnown = false
    ahead = nil
    leaveLayer()
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
      let contributions = Matrix(unfilled: attended.rows * routing.expertsPerToken, columns: attended.columns)
      for expert in routing.slots.indices {
        try feedForward.run(expert: expert, on: attended, routing: routing, into: contributions)
      }
      parts[index].stage = Stage(
        layer: layer, attended: try stages.keep(attended, copied: false), routing: routing,
        contributions: try stages.keep(contributions, copied: false))
    }
    enteredLayer = layer
  }

  /// Passes backwards through the model that the scorer began with, nothing having been kept: see `GradientPass`. Layers below the
  /// lowest of `layers` are left out.
  ///
  /// - Parameters:
  ///   - beforeLayer: Called before each of them.
  ///   - observe: Called with each of their sites, part by part of the text, and with the window of each token.
  package mutating func passBackwards(
    through layers: Set<Int>, roles: Set<Role>, beforeLayer: (Int) throws -> Void,
    observe: (SiteGradient, [Int]) throws -> Void
  ) throws {
    guard let lowest = layers.min() else { return }
    let last = model.configuration.layerCount - 1
    let groups = try gradientGroups()
    let gradients = try groups.map { group in
      let states = try group.states(inputs, layer: last)
      try group.forward.run(layer: last, states)
      return try GradientPass(group.forward).gradient(ofLast: states)
    }
    for layer in (lowest...last).reversed() {
      let isObserved = layers.contains(layer)
      if isObserved { try beforeLayer(layer) }
      for (index, group) in groups.enumerated() {
        try GradientPass(group.forward).run(
          layer: layer, try group.states(inputs, layer: layer), gradients[index], observing: isObserved ? roles : []
        ) { try observe($0, group.windowOfToken) }
      }
    }
  }

  /// Windows whose gradients are computed at once: a part of the text, or less of it where memory asks for that.
  private struct GradientGroup {
    let part: Part
    /// In the part's states.
    let rows: Range<Int>
    let forward: ForwardPass
    let windowOfToken: [Int]

    /// A copy of those that enter a layer.
    func states(_ inputs: StateStore, layer: Int) throws -> Matrix {
      try inputs.lend(part.inputs[layer])[rows: rows].copy()
    }
  }

  private func gradientGroups() throws -> [GradientGroup] {
    try parts.flatMap { part in
      let batch = part.forward.batch
      return try Self.pieces(of: Array(batch.windows.indices), limit: gradientLimit) {
        batch.windows[$0].tokens.count
      }.map { piece in
        let rows = batch.rows[piece[0]].lowerBound..<batch.rows[piece[piece.count - 1]].upperBound
        return GradientGroup(
          part: part, rows: rows, forward: try ForwardPass(model, WindowBatch(piece.map { batch.windows[$0] })),
          windowOfToken: piece.flatMap { Array(repeating: part.indices[$0], count: batch.windows[$0].tokens.count) })
      }
    }
  }

  private func aside(_ matrix: StoredMatrix) throws -> StoredMatrix {
    try asideFolder.map { try matrix.spilled(to: $0) } ?? matrix
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
  package mutating func score(
    replacing site: Site, by matrix: StoredMatrix, stops: (TrialEvidence) -> Bool = { _ in false }
  ) throws -> Outcome {
    try score(site, rank: 0, before: [], matrix: { _ in matrix }, stops: stops)
  }

  /// Scores the current model with several matrices of the entered layer replaced.
  package mutating func score(
    replacing changes: [(site: Site, matrix: StoredMatrix)], stops: (TrialEvidence) -> Bool = { _ in false }
  ) throws -> Outcome {
    ahead = nil
    let changed = changes.reduce(model) { $0.replacing($1.site, by: $1.matrix) }
    var scored: [[Double]] = []
    for (number, round) in rounds.enumerated() {
      for part in parts[round] { scored.append(try likelihoods(of: changed, sites: changes.map(\.site), part)) }
      guard number < rounds.count - 1 else { break }
      let outcome = try outcome(of: changed, after: scored)
      if stops(outcome.evidence) { return outcome }
    }
    return Outcome(
      original: original, before: score, after: try Self.complete(parts, scored), isComplete: true, model: changed,
      likelihoods: scored)
  }

  /// Scores the current model with one matrix of the entered layer reduced to a rank.
  ///
  /// Ranks that will be tried later at the same site pass the layers above along with this one, as far as there is memory
  /// for their states, so that weights are read and packed once for all of them; what they score is put by. Of later
  /// rounds, only those are run ahead that would not be stopped either as things stand. This changes no outcome: the model
  /// of another rank is the same whether or not this one is kept.
  package mutating func score(
    _ site: Site, rank: Int, before later: [Int], matrix: (Int) throws -> StoredMatrix,
    stops: (TrialEvidence) -> Bool = { _ in false }
  ) throws -> Outcome {
    if ahead?.site != site { ahead = nil }
    var others = ahead?.variants ?? [:]
    func variant(_ rank: Int) throws -> Variant {
      try others[rank] ?? Variant(model: model.replacing(site, by: matrix(rank)), likelihoods: [])
    }
    var trial = try variant(rank)
    others[rank] = nil
    defer { ahead = Ahead(site: site, variants: others) }
    for (number, round) in rounds.enumerated() {
      if trial.likelihoods.count < round.upperBound {
        let places = runsRanksTogether ? capacity(of: round, site) - 1 : 0
        var companions: [Int] = []
        for rank in later where companions.count < places {
          let other = try variant(rank)
          guard other.likelihoods.count == round.lowerBound,
            try number == 0 || !stops(outcome(of: other.model, after: other.likelihoods).evidence)
          else { continue }
          others[rank] = other
          companions.append(rank)
        }
        let models = [trial.model] + companions.compactMap { others[$0]?.model }
        for part in parts[round] {
          let results = try likelihoods(of: models, site: site, part)
          trial.likelihoods.append(results[0])
          for (rank, result) in zip(companions, results.dropFirst()) { others[rank]?.likelihoods.append(result) }
        }
      }
      guard number < rounds.count - 1 else { break }
      let outcome = try outcome(of: trial.model, after: Array(trial.likelihoods[..<round.upperBound]))
      if stops(outcome.evidence) { return outcome }
    }
    return Outcome(
      original: original, before: score, after: try Self.complete(parts, trial.likelihoods), isComplete: true,
      model: trial.model, likelihoods: trial.likelihoods)
  }

  /// How many ranks of a site the memory lets through the layers above at once; 1 where nothing is above.
  private func capacity(of round: Range<Int>, _ site: Site) -> Int {
    guard site.layer < model.configuration.layerCount - 1 else { return 1 }
    let tokens = parts[round].map(\.forward.batch.tokens.count).max() ?? 1
    return min(Self.mostRanksTogether, max(1, limit / max(1, tokens)))
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
    try keep(outcome, changing: [site])
  }

  /// The same of several sites, all of the entered layer.
  package mutating func keep(_ outcome: Outcome, changing sites: [Site]) throws {
    precondition(outcome.isComplete, "a trial that was stopped cannot be kept")
    guard let layer = sites.first?.layer else { return }
    for site in sites {
      model = model.replacing(site, by: try aside(outcome.model.stored(model.reference(of: site))))
    }
    score = outcome.after
    currentInputs = min(currentInputs, layer + 1)
    for index in parts.indices { parts[index].likelihoods = outcome.likelihoods[index] }
    guard sites.allSatisfy({ $0.role.part != .attention }) else {
      leaveLayer()
      return try enter(layer: layer)
    }
    for part in parts {
      guard let stage = part.stage else { continue }
      let contributions = try stages.lend(stage.contributions)
      for expert in Set(sites.map(stage.routing.expert)).sorted() {
        try FeedForward(model, layer: layer).run(
          expert: expert, on: stages.lend(stage.attended), routing: stage.routing, into: contributions)
      }
      if case .onDisk = stage.contributions { try stages.replace(stage.contributions, with: contributions) }
    }
  }

  /// −log p of every scored token of a part under models that differ from the current one at one site.
  private func likelihoods(of models: [Model], site: Site, _ part: Part) throws -> [[Double]] {
    guard models.count > 1 else { return [try likelihoods(of: models[0], sites: [site], part)] }
    let windows = part.forward.batch.windows
    let rows = part.forward.batch.tokens.count
    let stacked = Matrix(unfilled: models.count * rows, columns: model.configuration.hiddenSize)
    for (index, changed) in models.enumerated() {
      stacked[rows: index * rows..<(index + 1) * rows].assign(try states(after: [site], in: changed, part))
    }
    // Above the site's layer they are all the same model.
    let forward = try ForwardPass(model, WindowBatch(models.flatMap { _ in windows }))
    let all = try likelihoods(forward, above: site.layer, stacked)
    let count = all.count / models.count
    return models.indices.map { Array(all[$0 * count..<($0 + 1) * count]) }
  }

  /// −log p of every scored token of a part under a model that differs from the current one at some sites of the entered layer.
  private func likelihoods(of changed: Model, sites: [Site], _ part: Part) throws -> [Double] {
    let states = try states(after: sites, in: changed, part)
    let layer = sites.first?.layer ?? 0
    guard layer == model.configuration.layerCount - 1, let stage = part.stage,
      sites.allSatisfy({ $0.role.part != .attention })
    else { return try likelihoods(part.forward.with(changed), above: layer, states) }
    let slots = Set(sites.map(stage.routing.expert)).flatMap { stage.routing.slots[$0] }
    var likelihoods = part.likelihoods
    try part.forward.with(changed).update(
      &likelihoods, of: Set(slots.map { $0 / Int32(stage.routing.expertsPerToken) }), states)
    return likelihoods
  }

  private func likelihoods(_ forward: ForwardPass, above layer: Int, _ states: Matrix) throws -> [Double] {
    for layer in (layer + 1)..<model.configuration.layerCount { try forward.run(layer: layer, states) }
    return try forward.negativeLogLikelihoods(states)
  }

  /// The states after the entered layer, with some of its sites changed.
  private func states(after sites: [Site], in changed: Model, _ part: Part) throws -> Matrix {
    guard let stage = part.stage, sites.allSatisfy({ $0.layer == stage.layer }) else {
      throw SearchError("layer \(sites.first?.layer ?? 0) was not entered")
    }
    if sites.allSatisfy({ $0.role.part != .attention }) {
      return try states(of: stage, changing: Set(sites.map(stage.routing.expert)).sorted(), in: changed)
    }
    let states = try inputs.load(part.inputs[stage.layer])
    try part.forward.with(changed).run(layer: stage.layer, states)
    return states
  }

  /// The states after a layer some of whose experts are changed. The stage is left as it was.
  private func states(of stage: Stage, changing experts: [Int], in changed: Model) throws -> Matrix {
    let slots = experts.map { stage.routing.slots[$0] }
    let contributions = try stages.lend(stage.contributions)
    let attended = try stages.lend(stage.attended)
    let feedForward = try FeedForward(changed, layer: stage.layer)
    var unchanged: [Matrix] = []
    for (expert, slots) in zip(experts, slots) {
      let before = Matrix(unfilled: slots.count, columns: contributions.columns)
      gatherRows(contributions, slots[...], into: before)
      unchanged.append(before)
      try feedForward.run(expert: expert, on: attended, routing: stage.routing, into: contributions)
    }
    let states = attended.copy()
    FeedForward.add(contributions, perToken: stage.routing.expertsPerToken, to: states)
    for (before, slots) in zip(unchanged, slots) {
      scatterRows(before, slots[...], weights: Array(repeating: 1, count: slots.count), into: contributions)
    }
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
