import Inference
import Models
import Testing

/// Texts that begin alike, run as the branches of one window, against the same texts run each on its own.
@Suite struct BranchTests {
  /// A beginning with four ends: a long one, one of a single token, one that the beginning predicts whole, and one that
  /// is scored before the texts part.
  static func texts(_ fixture: ArchitectureFixture) throws -> [WindowBatch.Window.Text] {
    let ids = try fixture.recorded.integers("input_ids")
    let beginning = Array(ids.prefix(ids.count / 2))
    let rest = Array(ids.dropFirst(beginning.count))
    let ends = [rest, [rest[1]], Array(rest.reversed().prefix(3)), Array(rest.prefix(2)) + [rest[0]]]
    return ends.enumerated().map { number, end in
      WindowBatch.Window.Text(tokens: beginning + end, firstScored: beginning.count - (number == 3 ? 2 : 0))
    }
  }

  private func likelihoods(_ model: Model, _ windows: [WindowBatch.Window]) throws -> [TokenLikelihood] {
    let forward = try ForwardPass(model, WindowBatch(windows))
    let states = try forward.embeddings()
    for layer in 0..<model.configuration.layerCount { try forward.run(layer: layer, states) }
    return try forward.likelihoods(states)
  }

  @Test(arguments: ArchitectureFixture.all)
  func branchesScoreWhatTheirTextsScore(_ fixture: ArchitectureFixture) throws {
    let model = try fixture.model
    let texts = try Self.texts(fixture)
    let window = WindowBatch.Window(texts: texts, number: 7)
    #expect(window.number == 7 && window.parts.map(\.count) == texts.map { $0.tokens.count - $0.firstScored })
    #expect(window.tokens.count < texts.reduce(0) { $0 + $1.tokens.count } - 3 * window.shared)
    let together = try likelihoods(model, [window])
    let apart = try likelihoods(
      model, texts.map { WindowBatch.Window(tokens: $0.tokens, firstScored: $0.firstScored) })
    #expect(together.count == apart.count)
    for (one, other) in zip(together, apart) {
      #expect(abs(one.nll - other.nll) < 1e-5 && one.isTop == other.isTop)
    }
  }

  /// Neither what stands beside it nor how many rows the groups have changes a bit.
  @Test func aWindowScoresTheSameAmongOthers() throws {
    let fixture = ArchitectureFixture.all[5]
    let window = WindowBatch.Window(texts: try Self.texts(fixture), number: nil)
    let ids = try fixture.recorded.integers("input_ids")
    let other = WindowBatch.Window(tokens: ids, firstScored: 1)
    let alone = try likelihoods(fixture.model, [window])
    let among = try likelihoods(fixture.model, [other, window, window, other])
    #expect(Array(among[other.scoredCount..<other.scoredCount + window.scoredCount]) == alone)
  }

  @Test func rowsAndPredictionsOfAWindow() {
    typealias Text = WindowBatch.Window.Text
    let window = WindowBatch.Window(
      texts: [
        Text(tokens: [1, 2, 3, 4, 5], firstScored: 3), Text(tokens: [1, 2, 3, 9], firstScored: 3),
        Text(tokens: [1, 2, 3, 9, 8], firstScored: 3),
      ], number: nil)
    #expect(window.tokens == [1, 2, 3, 4, 9] && window.shared == 3 && window.branches == [3..<4, 4..<5])
    #expect(window.predictors == [2, 3, 2, 2, 4] && window.targets == [4, 5, 9, 9, 8])
    #expect(window.parts == [0..<2, 2..<3, 3..<5])
    // Nothing in common: each on its own.
    let strangers = WindowBatch.Window(
      texts: [Text(tokens: [1, 2, 3], firstScored: 1), Text(tokens: [4, 5], firstScored: 1)], number: nil)
    #expect(strangers.shared == 0 && strangers.branches == [0..<2, 2..<3] && strangers.predictors == [0, 1, 2])
    let one = WindowBatch.Window(texts: [Text(tokens: [1, 2, 3], firstScored: 2)], number: nil)
    #expect(one.tokens == [1, 2] && one.shared == 2 && one.branches.isEmpty && one.predictors == [1])
  }

  @Test func aTargetOutsideTheVocabularyIsRefused() throws {
    let model = try ArchitectureFixture.all[0].model
    let window = WindowBatch.Window(
      texts: [.init(tokens: [1, Int32(model.configuration.vocabularySize)], firstScored: 1)], number: nil)
    #expect(throws: ForwardPass.UnknownToken.self) { try ForwardPass(model, WindowBatch([window])) }
  }
}
