import Evaluation
import Inference
import Models
import RankReduction
import Search
import Tensors
import Testing
import Tokenization

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
    func sample(_ window: WindowBatch.Window, nlls: ArraySlice<Double>) -> WindowScore {
      WindowScore(nll: nlls.reduce(0) { $0 + min($1, 10) }, tokens: nlls.count)
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
    let outcome = try scorer.score(Replacements(site, by: matrix))
    let whole = try TrialScorer(model.replacing(site, by: matrix), evaluation, rounds: rounds, firstLayer: 0)
    #expect(outcome.isComplete)
    #expect(outcome.after == whole.score)
    #expect(outcome.after != outcome.before)
    // Window by window to the bit, whatever they were computed beside; trials go through them in another order.
    let evaluated = try evaluation.score(model.replacing(site, by: matrix))
    #expect(evaluated.windows.map(\.nll).sorted() == outcome.after.windows.map(\.nll).sorted())
    // Kept, it leaves the layer as the changed model has it.
    try scorer.keep(outcome)
    let again = try scorer.score(Replacements(site, by: matrix))
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
        let outcome = try scorer.score(Replacements(site, by: try reducer.decompose(site).reduced(to: rank)))
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
      try scorer.adopt(Replacements(site, by: matrix))
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
      let outcome = try scorer.score(Replacements(site, by: matrix))
      current = current.replacing(site, by: matrix)
      let whole = try TrialScorer(current, evaluation, rounds: rounds, firstLayer: 0)
      #expect(outcome.after == whole.score)
      #expect(outcome.original == scorer.original)
      try scorer.keep(outcome)
    }
  }

  /// Experts alone, in the last layer and below, and attention beside them.
  @Test(
    arguments: [
      [
        Site(layer: 5, expert: 0, role: .w1), Site(layer: 5, expert: 0, role: .w2),
        Site(layer: 5, expert: 3, role: .w3),
      ],
      [Site(layer: 3, expert: 2, role: .w1), Site(layer: 3, expert: 1, role: .w1)],
      [Site(layer: 4, expert: nil, role: .value), Site(layer: 4, expert: 1, role: .w2)],
    ])
  func severalSitesTogetherScoreWhatTheChangedModelScoresToTheBit(sites: [Site]) throws {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    let changes = try sites.map { (site: $0, matrix: try reducer.decompose($0).reduced(to: 9)) }
    let changed = changes.reduce(model) { $0.replacing($1.site, by: $1.matrix) }
    let whole = try TrialScorer(changed, evaluation, rounds: rounds, firstLayer: 0).score
    var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0)
    try scorer.enter(layer: sites[0].layer)
    let outcome = try scorer.score(Replacements(changes))
    #expect(outcome.isComplete && outcome.after == whole)
    // Trying them changed nothing; keeping them leaves the layer as the changed model has it.
    #expect(try scorer.score(Replacements(changes)).after == whole)
    try scorer.keep(outcome)
    #expect(try scorer.score(Replacements(changes)).before == whole)
    #expect(try scorer.score(Replacements(changes)).after == whole)
    var assuming = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0)
    try assuming.adopt(Replacements(changes))
    try assuming.enter(layer: sites[0].layer)
    #expect(assuming.score == whole)
  }

  // MARK: Predictions

  /// Small changes: those of the difference to the base.
  private var tuning: Reducer { get throws { try Reducer(model, base: Model(path: Self.posy + "/base")) } }

  /// First-order changes of every window, by rank.
  private func predictions(of site: Site, ranks: [Int], memory: Int = .max) throws -> [[Double]] {
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    let scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0, memory: memory)
    let effects = try DirectionEffects(tuning.decompose(site))
    var changes = ranks.map { _ in evaluation.windows.map { _ in 0.0 } }
    try BackwardPass(scorer).run(through: [site.layer], roles: [site.role], beforeLayer: { _ in }) {
      gradient, windows in
      guard gradient.site == site else { return }
      let numbers = effects.changes(gradient, ranks: ranks)
      for (row, token) in gradient.tokens.enumerated() {
        for place in ranks.indices { changes[place][windows[Int(token)]] += Double(numbers[row, place]) }
      }
    }
    return changes
  }

  @Test(arguments: [Role.w1, .w2, .w3])
  func whatIsPredictedIsWhatATrialOfTheLastLayerMeasures(role: Role) throws {
    let site = Site(layer: 5, expert: 1, role: role)
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: true)
    let predicted = try predictions(of: site, ranks: [128, 64, 20])
    #expect(predicted[0].allSatisfy { $0 == 0 })
    var scorer = try TrialScorer(model, evaluation, rounds: rounds, firstLayer: 0)
    try scorer.enter(layer: 5)
    for (rank, changes) in zip([64, 20], predicted[1...]) {
      let outcome = try scorer.score(Replacements(site, by: tuning.decompose(site).reduced(to: rank)))
      let measured = zip(outcome.before.windows, outcome.after.windows).map { $1.nll - $0.nll }
      func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
      #expect(norm(zip(measured, changes).map { $0 - $1 }) < 0.15 * norm(measured), "\(measured) \(changes)")
    }
  }

  @Test func lessMemoryPredictsTheSame() throws {
    let site = Site(layer: 2, expert: 0, role: .w2)
    let rounds = WindowRounds(count: evaluation.windows.count, exhaustive: false)
    let changes = try predictions(of: site, ranks: [20])[0]
    let less = try predictions(of: site, ranks: [20], memory: leastMemory(rounds))[0]
    #expect(zip(changes, less).allSatisfy { abs($0 - $1) < 1e-4 * (1 + abs($0)) })
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
    let outcome = try scorer.score(Replacements(Self.sites[0], by: matrix)) { _ in true }
    #expect(!outcome.isComplete)
    #expect(outcome.after.windows.count == rounds.rounds[0].count)
    #expect(outcome.before.windows == rounds.rounds[0].map { scorer.score.windows[$0] })
  }
}
