import Checkpoints
import Evaluation
import Inference
import Models
import RankReduction
import Search
import Tensors
import Testing
import Tokenization
import Wording

/// A trial, which runs only what a change makes necessary, against the changed model run from the first layer on.
@Suite struct TrialScorerTests {
  private static let posy = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/runs/posy"

  private let model: Model
  private let reducer: Reducer
  private let evaluation: Evaluation

  init() throws {
    model = try Model(path: Self.posy + "/model")
    reducer = try Reducer(model, base: nil)
    let tokenizer = try Tokenizer(path: Self.posy + "/model")
    let corpus = try Corpus(file: Self.posy + "/text/essays.search.txt", tokenizer: tokenizer)
    evaluation = try Evaluation(
      [Corpus(path: "essays", tokens: Array(corpus.tokens.prefix(1600)))], convention: .windows, context: 64,
      tokenizer: tokenizer)
  }

  private static let sites = [
    Site(layer: 5, expert: 0, role: .w1), Site(layer: 5, expert: 3, role: .w2),
    Site(layer: 5, expert: nil, role: .output),
    Site(layer: 4, expert: 1, role: .w3), Site(layer: 2, expert: nil, role: .query),
    Site(layer: 0, expert: 2, role: .w2),
  ]

  @Test(arguments: sites, [true, false])
  func aTrialScoresWhatTheChangedModelScoresToTheBit(site: Site, exhaustive: Bool) throws {
    try compareTrial(of: model, evaluation, site, exhaustive: exhaustive)
  }

  /// Numbers beyond float32 make a trial that is rejected, not a model that is damaged.
  @Test func aTrialThatOverflowsIsRejected() throws {
    let site = Site(layer: 5, expert: nil, role: .output)
    var scorer = try TrialScorer(
      model, evaluation, rounds: WindowRounds(count: evaluation.windows.count, exhaustive: true), firstLayer: 0)
    let reference = model.reference(of: site)
    let numbers = DoubleMatrix(try model.weights(reference)).elements
    // As large as its type allows: sums of products are beyond it.
    let largest = numbers.map { abs($0) }.max() ?? 1
    let huge = numbers.map { $0 / largest * 3e38 }
    let matrix = StoredMatrix(
      rounding: DoubleMatrix(rows: reference.rows, columns: reference.columns, elements: huge),
      to: try model.stored(reference).type)
    let outcome = try scorer.score(site, by: matrix)
    #expect(outcome.isComplete && outcome.after.meanNLL.isFinite && outcome.evidence.delta.mean > 1e6)
    let rule = ImprovementRule(
      Acceptance(confidence: 0.5, falseDiscoveryRate: 1), futility: FutilityRule(looks: 1, windowCount: 25))
    #expect(!rule.keeps(outcome.evidence))
    // So do models that are measured as a whole; one that nothing was changed in is damaged.
    let changed = model.replacing(site, by: matrix)
    #expect(try evaluation.score(changed, isTrial: true) == outcome.after)
    #expect(try evaluation.score(model, others: 0) { model, _ in changed } == outcome.after)
    #expect(throws: InputError.self) { try evaluation.score(changed) }
  }

  /// A mixture with a shared expert in its first and last layer and a dense layer between: Tests/Fixtures/architectures.
  @Test(
    arguments: [
      Site(layer: 2, expert: nil, role: .sharedW2), Site(layer: 2, expert: 0, role: .w1),
      Site(layer: 2, expert: nil, role: .value), Site(layer: 1, expert: nil, role: .w3),
      Site(layer: 0, expert: nil, role: .sharedW1), Site(layer: 0, expert: 4, role: .w2),
    ], [true, false])
  func soItDoesBesideASharedExpert(site: Site, exhaustive: Bool) throws {
    let folder = Self.posy + "/../../Tests/Fixtures/architectures/qwen2_moe"
    let tokens = (0..<1200).map { (index: Int) -> Int32 in Int32((7 * index * index + index / 5) % 64) }
    let evaluation = try Evaluation(
      [Corpus(path: "numbers", tokens: tokens)], convention: .windows, context: 64,
      tokenizer: Tokenizer(path: Self.posy + "/model"))
    try compareTrial(of: Model(path: folder), evaluation, site, exhaustive: exhaustive)
  }

  /// −log p, but no token counts for more than ten nats: a few hopeless ones decide nothing.
  private struct CappedLikelihood: Metric {
    func sample(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> WindowScore {
      WindowScore(nll: tokens.reduce(0) { $0 + min($1.nll, 10) }, tokens: tokens.count)
    }

    func gradient(_ window: WindowBatch.Window, _ tokens: ArraySlice<TokenLikelihood>) -> [Double] {
      tokens.map { $0.nll < 10 ? 1 : 0 }
    }
  }

  @Test(arguments: [sites[0], sites[3]]) func soItDoesByAnotherMetric(site: Site) throws {
    let tokenizer = try Tokenizer(path: Self.posy + "/model")
    let capped = try Evaluation(
      evaluation.corpora, convention: .windows, context: 64, tokenizer: tokenizer, metric: CappedLikelihood())
    #expect(try capped.score(model).meanNLL < evaluation.score(model).meanNLL)
    try compareTrial(of: model, capped, site, exhaustive: false)
  }

  private func compareTrial(
    of model: Model, _ evaluation: Evaluation, _ site: Site, exhaustive: Bool
  ) throws {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: exhaustive)
    let matrix = try Reducer(model, base: nil).decompose(site).reduced(to: 5)
    var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0)
    try scorer.enter(layer: site.layer)
    let outcome = try scorer.score(site, by: matrix)
    let whole = try TrialScorer(model.replacing(site, by: matrix), evaluation, rounds: rounds, firstLayer: 0)
    #expect(outcome.isComplete)
    #expect(outcome.after == whole.score)
    #expect(outcome.after != outcome.before)
    // And what an evaluation gives, in whatever batches it runs.
    #expect(try evaluation.score(model.replacing(site, by: matrix)) == outcome.after)
    // Kept, it leaves the layer as the changed model has it.
    try scorer.keep(outcome)
    let again = try scorer.score(site, by: matrix)
    #expect(again.before == whole.score)
    #expect(again.after == whole.score)
  }

  @Test func afterKeepsTrialsAreOfTheModelWithAllOfThem() throws {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0)
    var current = model
    for site in [Self.sites[0], Self.sites[1], Self.sites[2], Self.sites[3]] {
      let matrix = try reducer.decompose(site).reduced(to: 9)
      try scorer.enter(layer: site.layer)
      // The same site once more, so that the second trial stands on what the first one left.
      for rank in [9, 3] {
        let outcome = try scorer.score(site, by: try reducer.decompose(site).reduced(to: rank))
        if rank == 9 { try scorer.keep(outcome) }
      }
      current = current.replacing(site, by: matrix)
    }
    let whole = try TrialScorer(current, evaluation, rounds: rounds, firstLayer: 0)
    #expect(scorer.score == whole.score)
  }

  @Test func whatAnEarlierSessionKeptScoresAsIfKeptNow() throws {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    var current = model
    var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0)
    for site in [Self.sites[0], Self.sites[2], Self.sites[3]] {
      let matrix = try reducer.decompose(site).reduced(to: 9)
      try scorer.adopt(Replacement(site, by: matrix))
      current = current.replacing(site, by: matrix)
    }
    try scorer.enter(layer: 4)
    #expect(try scorer.score == TrialScorer(current, evaluation, rounds: rounds, firstLayer: 0).score)
  }

  /// In an order that no sweep has: layers below those that were kept, and above them again.
  @Test(arguments: [true, false]) func keepsInAnyOrderAreOfTheModelWithAllOfThem(inLittleMemory: Bool) throws {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    let memory = inLittleMemory ? try leastMemory(rounds) : .max
    var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0, memory: memory)
    var current = model
    for site in [Self.sites[3], Self.sites[5], Self.sites[0], Self.sites[4], Self.sites[1]] {
      let matrix = try reducer.decompose(site).reduced(to: 9)
      try scorer.enter(layer: site.layer)
      let outcome = try scorer.score(site, by: matrix)
      current = current.replacing(site, by: matrix)
      let whole = try TrialScorer(current, evaluation, rounds: rounds, firstLayer: 0)
      #expect(outcome.after == whole.score)
      #expect(outcome.original == scorer.original)
      try scorer.keep(outcome)
    }
  }

  private func leastMemory(_ rounds: WindowRounds) throws -> Int {
    let refusal = #expect(throws: MemoryPlan.TooSmall.self) {
      _ = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0, memory: 1)
    }
    return try #require(refusal).least
  }

  /// Later ranks that pass the layers above along with the one tried: every outcome is the same, whatever was kept or stopped.
  @Test(arguments: [sites[3], sites[4]], [true, false])
  func ranksRunTogetherScoreAsOneAfterAnother(site: Site, keepsOne: Bool) throws {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    let decomposition = try reducer.decompose(site)
    let ranks = [60, 2, 40, 100]
    let outcomes = try [false, true].map { together in
      var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0)
      scorer.runsRanksTogether = together
      try scorer.enter(layer: site.layer)
      return try ranks.enumerated().map { index, rank in
        let outcome = try scorer.score(
          site, rank: rank, before: Array(ranks[(index + 1)...]), matrix: { try decomposition.reduced(to: $0) },
          stops: { $0.delta.mean > 0.01 })
        if keepsOne, index == 0, outcome.isComplete { try scorer.keep(outcome) }
        return outcome
      }
    }
    #expect(outcomes[0].map(\.isComplete) == outcomes[1].map(\.isComplete))
    #expect(outcomes[0].map(\.before) == outcomes[1].map(\.before))
    #expect(outcomes[0].map(\.after) == outcomes[1].map(\.after))
    #expect(outcomes[0].contains { $0.isComplete })
    // No rank of the query matrix is bad enough to be stopped.
    #expect(site.role == .query || outcomes[0].contains { !$0.isComplete })
  }

  @Test func aTrialThatIsStoppedSaysOverWhichWindows() throws {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 5)
    try scorer.enter(layer: 5)
    let matrix = try reducer.decompose(Self.sites[0]).reduced(to: 0)
    let outcome = try scorer.score(Self.sites[0], by: matrix) { _ in true }
    #expect(!outcome.isComplete)
    #expect(outcome.after.windows.count == rounds.rounds[0].count)
    #expect(outcome.before.windows == rounds.rounds[0].map { scorer.score.windows[$0] })
  }
}

extension TrialScorer {
  /// Scores one matrix in the place of a site's, whatever its rank.
  fileprivate mutating func score(
    _ site: Site, by matrix: StoredMatrix, stops: (TrialEvidence) -> Bool = { _ in false }
  ) throws -> TrialOutcome {
    try score(site, rank: 0, before: [], matrix: { _ in matrix }, stops: stops)
  }
}
