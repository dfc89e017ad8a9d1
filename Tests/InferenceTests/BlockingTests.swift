import CheckpointFixtures
import Checkpoints
import Evaluation
import Inference
import Models
import RankReduction
import Tensors
import Testing
import Tokenization

/// What a text scores does not depend on what is computed beside it. That it does not depend on how many workers compute
/// either is tested in processes of their own (`PerplexityTests`).
struct BlockingTests {
  private let reference = Reference.franken

  private func evaluation(_ texts: [String]) throws -> Evaluation {
    try Evaluation(
      texts.map { try reference.corpus($0) }, convention: .windows, context: 256, tokenizer: reference.tokenizer)
  }

  @Test func aTextScoresTheSameAloneAndAmongOthers() throws {
    let model = try reference.model
    let together = try evaluation(["plays.search.txt", "tales.search.txt", "novels.search.txt"])
    let score = try together.score(model)
    for (index, text) in ["plays.search.txt", "tales.search.txt", "novels.search.txt"].enumerated() {
      #expect(try evaluation([text]).score(model) == together.part(score, corpus: index))
    }
  }

  /// An expert's 1536 hidden channels are then packed in three blocks, and every window is a group of its own.
  @Test func littleMemoryChangesNoScore() throws {
    let folder = try TemporaryFolder()
    var mixture = SyntheticMixture(layerCount: 2)
    (mixture.hiddenSize, mixture.intermediateSize, mixture.vocabularySize) = (64, 1536, 2048)
    (mixture.headCount, mixture.keyValueHeadCount, mixture.expertCount) = (4, 2, 4)
    _ = try Synthesis(mixture, seed: 1).write(
      to: folder.path("model"), shardSize: 1 << 20, replacesExisting: false, tokenizer: nil)
    let model = try Model(path: folder.path("model"))
    let evaluation = try evaluation(["tales.search.txt", "plays.search.txt"])
    let refusal = #expect(throws: MemoryPlan.TooSmall.self) { try evaluation.score(model, memory: 1) }
    let least = try #require(refusal).least
    let whole = try evaluation.scoreAndRouting(model)
    let little = try evaluation.scoreAndRouting(model, memory: least)
    #expect(little.score == whole.score)
    #expect(little.routing == whole.routing)
    let comparison = try evaluation.compare(model, reference.model)
    let refused = #expect(throws: MemoryPlan.TooSmall.self) {
      try evaluation.compare(model, reference.model, memory: least)
    }
    #expect(
      try evaluation.compare(model, reference.model, memory: #require(refused).least).divergences
        == comparison.divergences)
  }

  /// The bytes are the same each time, and the noise edge finds the strong directions.
  @Test func syntheticWeightsAreWhatTheyAreMadeToBe() throws {
    let matrix = SyntheticMatrix(rows: 300, columns: 200, rank: 5, deviation: 0.1, seed: 3)
    let stored = matrix.stored(rows: 0..<300)
    let bytes = stored.region.withBytes { Array($0) }
    let parts = [0..<7, 7..<300].map { rows in matrix.stored(rows: rows).region.withBytes { Array($0) } }
    #expect(bytes == parts[0] + parts[1])
    let values = try SingularValueDecomposition(DoubleMatrix(stored.decoded())).singularValues
    #expect(Spectrum(singularValues: values, rows: 300, columns: 200).rankAboveNoise == 5)
  }

  @Test func shardsScoreTheSameAsOneFile() throws {
    let folder = try ShardedCopy.make(of: reference.modelFolder, shards: 3)
    defer { ShardedCopy.remove(folder) }
    let evaluation = try evaluation(["novels.search.txt"])
    #expect(try evaluation.score(Model(path: folder)) == evaluation.score(reference.model))
  }
}
