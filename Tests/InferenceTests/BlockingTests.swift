import Checkpoints
import Evaluation
import Inference
import Tensors
import Testing
import Tokenization

/// What a text scores does not depend on what is computed beside it, nor on how many workers compute.
@Suite(.serialized) struct BlockingTests {
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

  @Test func threadsDoNotChangeTheScore() throws {
    let model = try reference.model
    let evaluation = try evaluation(["essays.search.txt"])
    let before = Parallelism.threads
    defer { Parallelism.threads = before }
    let scores = try [1, 2, 3].map { threads in
      Parallelism.threads = threads
      return try evaluation.score(model)
    }
    #expect(scores[0] == scores[1] && scores[1] == scores[2])
  }

  @Test func shardsScoreTheSameAsOneFile() throws {
    let folder = try ShardedCopy.make(of: reference.modelFolder, shards: 3)
    defer { ShardedCopy.remove(folder) }
    let evaluation = try evaluation(["novels.search.txt"])
    #expect(try evaluation.score(Model(folder: folder)) == evaluation.score(reference.model))
  }
}
