import Evaluation
import Foundation
import Inference
import Models
import RankReduction
import Tensors
import Testing
import Tokenization

@Suite struct ComparisonTests {
  private let model: Model
  private let evaluation: Evaluation

  init() throws {
    model = try Reference.franken.model
    let tokens = try Reference.franken.corpus("plays.heldout.txt").tokens
    evaluation = try Evaluation(
      [Corpus(path: "plays", tokens: Array(tokens.prefix(512)))], convention: .windows, context: 64,
      tokenizer: Reference.franken.tokenizer)
  }

  @Test func aModelDoesNotDivergeFromItself() throws {
    let comparison = try evaluation.compare(model, model)
    #expect(comparison.divergences.allSatisfy { $0 == 0 })
    #expect(comparison.sameTopShare == 1)
    #expect(comparison.delta.mean == 0)
  }

  @Test func divergenceIsTheOneOfTheLogits() throws {
    let site = Site(layer: 1, expert: 0, role: .w2)
    let other = try Reducer(model, base: nil).applying([Reduction(site: site, kind: .weights, rank: 4)])
    let comparison = try evaluation.compare(model, other)
    #expect(comparison.first == (try evaluation.score(model)))
    #expect(comparison.second == (try evaluation.score(other)))
    let logits = try [model, other].map { model in
      let forward = try ForwardPass(model, WindowBatch(evaluation.windows))
      let states = try forward.embeddings()
      for layer in 0..<model.configuration.layerCount { try forward.run(layer: layer, states) }
      return try forward.logits(states)
    }
    var expected: [Double] = []
    var same = 0
    for row in 0..<logits[0].rows where row % 64 != 63 {
      let (p, q) = (probabilities(logits[0].row(row)), probabilities(logits[1].row(row)))
      expected.append(zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) })
      if p.firstIndex(of: p.max() ?? 0) == q.firstIndex(of: q.max() ?? 0) { same += 1 }
    }
    #expect(zip(comparison.divergences, expected.sorted()).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(comparison.sameTopShare == Double(same) / Double(expected.count))
    #expect(abs(comparison.meanDivergence.value - expected.reduce(0, +) / Double(expected.count)) < 1e-6)
    #expect(comparison.sameTopShare < 1)
  }

  private func probabilities(_ logits: [Float]) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    let exponentials = logits.map { exp(Double($0) - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }
}
