internal import Checkpoints
package import Evaluation
internal import Inference
package import Models
internal import Processes
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
/// Windows are divided into shards whose states fit the memory; what is kept beyond it lies in a scratch file. Where several
/// processes work together, each has some windows of every round; all of them have every window's score.
package struct TrialScorer: ~Copyable {
  /// With all that was kept so far.
  package private(set) var model: Model
  /// The score of `model`; of the model before, while `isScoreKnown` is false.
  package private(set) var score: Score
  private(set) var isScoreKnown = true
  /// The score of the model that the scorer began with.
  package let original: Score
  /// Of this process.
  let shards: [WindowShard]
  private let rounds: [Round]
  private let processes: ProcessGroup
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

  private struct Round {
    /// Of all processes, in the order in which they count.
    let windows: [Int]
    let shards: Range<Int>
    /// Tokens of the largest shard of all processes.
    let largestShard: Int
  }

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
    let processes = text.processes
    let own = rounds.rounds.map { round in
      round[processes.share(of: round.map { text.windows[$0].tokens.count })]
    }
    let memory = try ScorerMemory(
      model, text, tokens: own.joined().reduce(0) { $0 + text.windows[$1].tokens.count }, memory: memory, others: others
    )
    let stores = WindowShard.Stores(
      inputs: ActivationStore(memory: memory.inputs, folder: scratchFolder),
      layer: ActivationStore(memory: memory.layer, folder: scratchFolder))
    let model = model.within(memory.plan)
    var groups: [[Int]] = []
    var ranges: [Range<Int>] = []
    for round in own {
      let start = groups.count
      groups += ScorerMemory.groups(Array(round), limit: memory.limit) { text.windows[$0].tokens.count }
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
    let measured = zip(rounds.rounds, ranges).map { windows, range in
      Round(
        windows: windows, shards: range,
        largestShard: processes.greatest(shards[range].map(\.tokenCount).max() ?? 1))
    }
    let score = try Score(Self.windows(measured, shards, processes) { try $0.samples($0.likelihoods) }.inOrder)
    self.model = model
    self.shards = shards
    self.memory = memory
    self.rounds = measured
    self.processes = processes
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
      score = try Score(Self.windows(rounds, shards, processes) { try $0.samples($0.likelihoods) }.inOrder)
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
      if trial.roundCount <= number {
        let places = runsRanksTogether ? capacity(of: round, site) - 1 : 0
        var companions: [Int] = []
        for rank in later where companions.count < places {
          let other = try variant(rank)
          variants[rank] = other
          guard other.roundCount == number,
            try number == 0 || !stops(outcome(of: other.changed, after: number, other.likelihoods).evidence)
          else { continue }
          companions.append(rank)
        }
        let models = [trial.changed] + companions.compactMap { variants[$0]?.changed }
        for shard in shards[round.shards] {
          let results = try shard.likelihoods(of: models, in: site.layer)
          trial.likelihoods.append(results[0])
          for (rank, result) in zip(companions, results.dropFirst()) { variants[rank]?.likelihoods.append(result) }
        }
        trial.roundCount = number + 1
        for rank in companions { variants[rank]?.roundCount = number + 1 }
      }
      guard number < rounds.count - 1 else { break }
      let outcome = try outcome(of: trial.changed, after: number + 1, trial.likelihoods)
      if stops(outcome.evidence) { return outcome }
    }
    return try complete(trial.changed, trial.likelihoods)
  }

  /// How many ranks of a site the memory lets through the layers above at once; 1 where nothing is above.
  private func capacity(of round: Round, _ site: Site) -> Int {
    guard site.layer < model.configuration.layerCount - 1 else { return 1 }
    return min(RankPrefetch.most, max(1, memory.limit / max(1, round.largestShard)))
  }

  /// The outcome of a trial that has run all rounds.
  private func complete(_ changed: ChangedModel, _ likelihoods: [[TokenLikelihood]]) throws -> TrialOutcome {
    TrialOutcome(
      original: original, before: score, after: Score(try windows(rounds[...], ofTrial: likelihoods).inOrder),
      isComplete: true, changed: changed, likelihoods: likelihoods)
  }

  /// The outcome of a trial that has run the first rounds.
  private func outcome(
    of changed: ChangedModel, after roundCount: Int, _ likelihoods: [[TokenLikelihood]]
  ) throws -> TrialOutcome {
    let after = try windows(rounds[..<roundCount], ofTrial: likelihoods)
    let run = Array(likelihoods[..<(rounds[roundCount - 1].shards.upperBound)])
    return TrialOutcome(
      original: Score(after.map { original.windows[$0.window] }), before: Score(after.map { score.windows[$0.window] }),
      after: Score(after.map(\.score)), isComplete: false, changed: changed, likelihoods: run)
  }

  private func windows(
    _ rounds: ArraySlice<Round>, ofTrial likelihoods: [[TokenLikelihood]]
  ) throws -> [(window: Int, score: WindowScore)] {
    let count = rounds.last?.shards.upperBound ?? 0
    var next = likelihoods[..<count].makeIterator()
    return try Self.windows(Array(rounds), shards[..<count], processes) { try $0.samples(ofTrial: next.next() ?? []) }
  }

  /// The scores of the windows of some rounds, of all processes, round by round.
  ///
  /// - Parameters:
  ///   - shards: This process's of these rounds.
  ///   - samples: What the windows of a shard score; asked for in order.
  private static func windows(
    _ rounds: [Round], _ shards: some Sequence<WindowShard>, _ processes: ProcessGroup,
    _ samples: (WindowShard) throws -> [WindowScore]
  ) throws -> [(window: Int, score: WindowScore)] {
    let own = try shards.flatMap { shard in Array(zip(shard.indices, try samples(shard))) }
    let windows = processes.gather(own.map(\.0)).joined()
    let known = Dictionary(uniqueKeysWithValues: zip(windows, processes.gather(own.map(\.1)).joined()))
    return rounds.flatMap { round in round.windows.compactMap { window in known[window].map { (window, $0) } } }
  }
}

extension [(window: Int, score: WindowScore)] {
  /// The scores in the order of the text.
  fileprivate var inOrder: [WindowScore] { sorted { $0.window < $1.window }.map(\.score) }
}
