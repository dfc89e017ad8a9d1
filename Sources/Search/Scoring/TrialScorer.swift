internal import Checkpoints
package import Evaluation
internal import Inference
package import Models
internal import RankReduction
package import Tensors

/// Scores changes of matrices, doing only the work that a change makes necessary.
///
/// The states that enter each layer are kept. What is changed in a layer does not change those that enter it or a layer
/// below: a search that goes from the last layer down never computes them again. Inside the layer that is entered,
/// attention, routing and the outputs of the other experts are known; only the tokens of changed experts are run again,
/// then the layers above. In the last layer, only those tokens' logits are computed. The score of a trial is, bit for
/// bit, that of the changed model.
///
/// Windows are divided into shards whose states fit the memory; what is kept beyond it lies in a scratch file.
package struct TrialScorer: ~Copyable {
  /// With all that was kept so far.
  package private(set) var model: Model
  /// The score of `model`; of the model before, while `isScoreKnown` is false.
  package private(set) var score: Score
  private(set) var isScoreKnown = true
  /// The score of the model that the scorer began with.
  package let original: Score
  let shards: [WindowShard]
  /// The shards of each round of windows.
  private let rounds: [Range<Int>]
  let memory: ScorerMemory
  /// Where matrices that were kept lie on disk; nil where there is memory for all weights.
  private let spillFolder: String?
  /// Whether later ranks of a site are run along with the one that is tried: see `RankPrefetch`. Set where weights are
  /// read from disk over and over; where they are in memory, what is run in vain costs what is gained.
  package var runsRanksTogether: Bool
  private var prefetch = RankPrefetch()
  /// Layers below this one have kept inputs that are those of the current model.
  private var currentInputs: Int
  private var enteredLayer: Int?

  /// Runs the model once over all windows and keeps the states that enter each layer from `firstLayer` on.
  ///
  /// - Parameters:
  ///   - memory: Bytes that the scorer may take, the weights in use among them: see `MemoryPlan`. Kept states beyond it
  ///     go to a file in the scratch folder.
  ///   - others: Bytes of it that the caller takes for something else.
  /// - Throws: `MemoryPlan.TooSmall` if that is not enough for one window.
  package init(
    _ model: Model, _ text: Evaluation, rounds: WindowRounds, firstLayer: Int, memory: Int = .max, others: Int = 0,
    scratchFolder: String = "/tmp", progress: (Double) throws -> Void = { _ in }
  ) throws {
    let memory = try ScorerMemory(model, text, memory: memory, others: others)
    let stores = WindowShard.Stores(
      inputs: ActivationStore(memory: memory.inputs, folder: scratchFolder),
      layer: ActivationStore(memory: memory.layer, folder: scratchFolder))
    let model = model.within(memory.plan)
    var groups: [[Int]] = []
    var ranges: [Range<Int>] = []
    for round in rounds.rounds {
      let start = groups.count
      groups += ScorerMemory.groups(round, limit: memory.limit) { text.windows[$0].tokens.count }
      ranges.append(start..<groups.count)
    }
    let steps = Double(groups.count * (model.configuration.layerCount + 1))
    var step = 0.0
    let shards = try groups.map { indices in
      try WindowShard(model, indices, of: text, firstLayer: firstLayer, stores: stores) {
        step += 1
        try progress(step / steps)
      }
    }
    let score = try shards.score(shards.map(\.likelihoods))
    self.model = model
    self.shards = shards
    self.memory = memory
    self.rounds = ranges
    runsRanksTogether = memory.plan.streams
    spillFolder = memory.plan.streams ? scratchFolder : nil
    currentInputs = model.configuration.layerCount
    original = score
    self.score = score
  }

  // MARK: The current model

  /// Makes a changed model the current one without scoring it; the next layer that is entered does that. For changes
  /// that an earlier session kept.
  package mutating func adopt(_ replacement: Replacement) throws {
    try replace(replacement)
    isScoreKnown = false
    prefetch.clear()
    leaveLayer()
  }

  /// Takes a layer apart, unless it is already.
  package mutating func enter(layer: Int) throws {
    guard enteredLayer != layer else { return }
    leaveLayer()
    if layer >= currentInputs {
      for shard in shards { try shard.refreshInputs(of: currentInputs...layer) }
      currentInputs = layer + 1
    }
    if !isScoreKnown {
      for shard in shards { try shard.refreshLikelihoods(from: layer) }
      score = try shards.score(shards.map(\.likelihoods))
      isScoreKnown = true
    }
    for shard in shards { try shard.enter(layer: layer) }
    enteredLayer = layer
  }

  private mutating func leaveLayer() {
    for shard in shards { shard.leave() }
    enteredLayer = nil
  }

  private mutating func replace(_ replacement: Replacement) throws {
    let (site, matrix) = (replacement.site, replacement.matrix)
    model = model.replacing(site, by: try spillFolder.map { try matrix.spilled(to: $0) } ?? matrix)
    currentInputs = min(currentInputs, site.layer + 1)
    for shard in shards { shard.use(model) }
  }

  /// Makes the model of a complete trial the current one.
  package mutating func keep(_ outcome: TrialOutcome) throws {
    precondition(outcome.isComplete, "a trial that was stopped cannot be kept")
    let replacement = outcome.changed.replacement
    try replace(replacement)
    score = outcome.after
    for (shard, likelihoods) in zip(shards, outcome.likelihoods) { shard.likelihoods = likelihoods }
    guard let layer = enteredLayer else { return }
    if replacement.site.layer == layer, replacement.changesOnlyAnExpert {
      for shard in shards { try shard.updateExpert(at: replacement.site) }
    } else {
      leaveLayer()
      try enter(layer: layer)
    }
  }

  // MARK: Trials

  /// Scores the current model with one matrix of the entered layer reduced to a rank.
  ///
  /// Ranks that will be tried later at the same site may pass the layers above along with this one: see `RankPrefetch`.
  /// Of later rounds, only those are run ahead that would not be stopped either as things stand.
  package mutating func score(
    _ site: Site, rank: Int, before later: [Int], matrix: (Int) throws -> StoredMatrix,
    stops: (TrialEvidence) -> Bool = { _ in false }
  ) throws -> TrialOutcome {
    prefetch.begin(site)
    var variants: [Int: RankPrefetch.Variant] = [:]
    func variant(_ rank: Int) throws -> RankPrefetch.Variant {
      if let known = variants[rank] ?? prefetch.take(rank) { return known }
      return RankPrefetch.Variant(changed: ChangedModel(model, Replacement(site, by: try matrix(rank))))
    }
    var trial = try variant(rank)
    defer { for (rank, variant) in variants { prefetch.put(variant, rank: rank) } }
    for (number, round) in rounds.enumerated() {
      if trial.likelihoods.count < round.upperBound {
        let places = runsRanksTogether ? capacity(of: round, site) - 1 : 0
        var companions: [Int] = []
        for rank in later where companions.count < places {
          let other = try variant(rank)
          variants[rank] = other
          guard other.likelihoods.count == round.lowerBound,
            try number == 0 || !stops(outcome(of: other.changed, after: other.likelihoods).evidence)
          else { continue }
          companions.append(rank)
        }
        let models = [trial.changed] + companions.compactMap { variants[$0]?.changed }
        for shard in shards[round] {
          let results = try shard.likelihoods(of: models, in: site.layer)
          trial.likelihoods.append(results[0])
          for (rank, result) in zip(companions, results.dropFirst()) { variants[rank]?.likelihoods.append(result) }
        }
      }
      guard number < rounds.count - 1 else { break }
      let outcome = try outcome(of: trial.changed, after: Array(trial.likelihoods[..<round.upperBound]))
      if stops(outcome.evidence) { return outcome }
    }
    return try complete(trial.changed, trial.likelihoods)
  }

  /// How many ranks of a site the memory lets through the layers above at once; 1 where nothing is above.
  private func capacity(of round: Range<Int>, _ site: Site) -> Int {
    guard site.layer < model.configuration.layerCount - 1 else { return 1 }
    let tokens = shards[round].map(\.tokenCount).max() ?? 1
    return min(RankPrefetch.most, max(1, memory.limit / max(1, tokens)))
  }

  /// The outcome of a trial that has run all shards.
  private func complete(_ changed: ChangedModel, _ likelihoods: [[TokenLikelihood]]) throws -> TrialOutcome {
    TrialOutcome(
      original: original, before: score, after: try shards.score(likelihoods) { try $0.samples(ofTrial: $1) },
      isComplete: true, changed: changed,
      likelihoods: likelihoods)
  }

  /// The outcome of a trial that has run the first shards.
  private func outcome(of changed: ChangedModel, after likelihoods: [[TokenLikelihood]]) throws -> TrialOutcome {
    let indices = shards[..<likelihoods.count].flatMap(\.indices)
    let after = try zip(shards, likelihoods).flatMap { try $0.samples(ofTrial: $1) }
    return TrialOutcome(
      original: Score(indices.map { original.windows[$0] }), before: Score(indices.map { score.windows[$0] }),
      after: Score(after), isComplete: false, changed: changed, likelihoods: likelihoods)
  }
}

extension [WindowShard] {
  /// The scores of all shards' windows, in the order of the text.
  fileprivate func score(
    _ likelihoods: [[TokenLikelihood]],
    samples: (WindowShard, [TokenLikelihood]) throws -> [WindowScore] = { try $0.samples($1) }
  ) throws -> Score {
    var windows = Array<WindowScore>(
      repeating: WindowScore(nll: 0, tokens: 0), count: reduce(0) { $0 + $1.indices.count })
    for (shard, likelihoods) in zip(self, likelihoods) {
      for (index, sample) in zip(shard.indices, try samples(shard, likelihoods)) { windows[index] = sample }
    }
    return Score(windows)
  }
}
