import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Models
import Tensors
import Testing
import Tokenization

/// A text continued token by token with key-value caches, against the whole text run at once.
struct ContinuationTests {
  private static let fixtures = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures"

  private func lastLogits(_ model: Model, _ tokens: [Int32]) throws -> [Float] {
    let forward = try ForwardPass(model, WindowBatch([.init(tokens: tokens, firstScored: 1)]))
    let states = try forward.embeddings()
    for layer in 0..<model.configuration.layerCount { try forward.run(layer: layer, states) }
    return try forward.logits(states).row(tokens.count - 1)
  }

  @Test(arguments: ArchitectureFixture.all)
  func stepsGiveTheLogitsOfTheWholeText(_ fixture: ArchitectureFixture) throws {
    let model = try fixture.model
    var generator = SeededGenerator(seed: 11)
    let size = Int32(model.configuration.vocabularySize)
    let tokens = (0..<41).map { _ in Int32.random(in: 0..<size, using: &generator) }
    // A long piece, whose weights are packed, a shorter one, and single tokens.
    var continuation = Continuation(model, capacity: tokens.count)
    var end = 0
    for count in [20, 5] + Array(repeating: 1, count: 16) {
      let logits = try continuation.append(Array(tokens[end..<end + count]))
      end += count
      let expected = try lastLogits(model, Array(tokens[..<end]))
      let scale = expected.map(abs).max() ?? 1
      for (logit, value) in zip(logits, expected) { #expect(abs(logit - value) <= 1e-4 * max(1, scale)) }
    }
    #expect(continuation.count == tokens.count)
  }

  @Test func theLikeliestTokenAndSeededDraws() {
    let logits: [Float] = [0, 3, -1, 3, 2]
    var greedy = Sampler(temperature: 0, topP: 1, seed: 0)
    #expect(greedy.next(logits) == 1)
    func draws(_ seed: UInt64, topP: Double, temperature: Double) -> [Int32] {
      var sampler = Sampler(temperature: temperature, topP: topP, seed: seed)
      return (0..<2000).map { _ in sampler.next(logits) }
    }
    #expect(draws(1, topP: 1, temperature: 1) == draws(1, topP: 1, temperature: 1))
    #expect(draws(1, topP: 1, temperature: 1) != draws(2, topP: 1, temperature: 1))
    #expect(Set(draws(1, topP: 0.7, temperature: 1)) == [1, 3])
    // By their probabilities: e³ / (1 + 2 e³ + e⁻¹ + e²) = 0.410, with three errors of slack.
    let share = Double(draws(3, topP: 1, temperature: 1).count { $0 == 1 }) / 2000
    #expect(abs(share - 0.410) < 3 * (0.41 * 0.59 / 2000).squareRoot())
    #expect(Set(draws(4, topP: 1, temperature: 100)).count == 5)
  }

  @Test func aTokenOutsideTheVocabularyIsNamed() throws {
    let model = try Model(path: Self.fixtures + "/architectures/mixtral")
    #expect {
      var continuation = Continuation(model, capacity: 4)
      _ = try continuation.append([Int32(model.configuration.vocabularySize)])
    } throws: { "\($0)".contains("\(model.configuration.vocabularySize)") }
  }
}
