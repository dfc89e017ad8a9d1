import Checkpoints
import Evaluation
import Foundation
import Inference
import Models
import Tensors
import Testing
import Tokenization

/// Where tokens go, counted while they are scored, and what is derived from the counts.
struct RoutingStatisticsTests {
  private let reference = Reference.franken

  private func evaluation(_ texts: [String], context: Int = 256) throws -> Evaluation {
    try Evaluation(
      texts.map { try reference.corpus($0) }, convention: .windows, context: context, tokenizer: reference.tokenizer)
  }

  /// A mixture may have dense layers, the first among them; its others have as many experts each.
  @Test(arguments: [
    ([1, 4, 4], true), ([4, 1, 4], true), ([4, 4], true), ([1, 1], true), ([4, 3], false), ([0, 4], false),
  ])
  func whatFitsTogether(_ counts: [Int], _ fits: Bool) throws {
    let layers = counts.map { count in
      RoutingStatistics.Layer(
        experts: Array(repeating: .init(tokens: 2, weight: 1), count: count), repeated: nil, gateSingularValues: [])
    }
    let statistics = RoutingStatistics(tokens: 4, layers: layers)
    #expect(statistics.isConsistent == fits)
    #expect((RoutingStatistics(summing: [statistics, statistics]) != nil) == fits)
  }

  @Test(arguments: ["qwen2_moe", "glm4_moe", "qwen3_next"]) func routersBesideDenseLayersAreCounted(_ name: String)
    throws
  {
    let fixture = ArchitectureFixture(name: name)
    let model = try fixture.model
    let ids = try fixture.recorded.integers("input_ids")
    let forward = try ForwardPass(model, WindowBatch([WindowBatch.Window(tokens: ids, firstScored: 1)]))
    let states = try forward.embeddings()
    for layer in model.layout.layers.indices {
      let routing = try forward.run(layer: layer, states)
      guard let mixture = model.configuration.mixture, model.layout.layers[layer].router != nil else {
        #expect(routing.probabilities(of: 0..<ids.count) == nil)
        continue
      }
      // Shares of what the router gives all experts, by softmax or sigmoids.
      let shares = try #require(routing.probabilities(of: 0..<ids.count))
      #expect(shares.columns == mixture.expertCount)
      #expect((0..<shares.rows).allSatisfy { abs(shares.row($0).reduce(0, +) - 1) < 1e-5 })
    }
  }

  @Test func collectingLeavesTheScoreAsItIs() throws {
    let evaluation = try evaluation(["tales.search.txt", "plays.search.txt"])
    let model = try reference.model
    let (score, routing) = try evaluation.scoreAndRouting(model)
    #expect(try score == evaluation.score(model))
    #expect(routing.count == 2)
    for (statistics, range) in zip(routing, evaluation.ranges) {
      let tokens = evaluation.windows[range].reduce(0) { $0 + $1.tokens.count }
      #expect(statistics.tokens == tokens)
      for (number, layer) in statistics.layers.enumerated() {
        #expect(layer.choices == 2 * tokens)
        // Weights of a token sum to 1.
        #expect(abs(layer.experts.reduce(0) { $0 + $1.weight } - Double(tokens)) < 1e-3 * Double(tokens))
        #expect((layer.repeated == nil) == (number == 0))
        if let repeated = layer.repeated { #expect((0...layer.choices).contains(repeated)) }
        #expect(layer.gateSingularValues.count == 4 && layer.condition > 1)
      }
    }
    // A text alone counts as it does among others.
    #expect(try self.evaluation(["plays.search.txt"]).scoreAndRouting(model).routing == [routing[1]])
  }

  @Test func everyExpertOfEveryTokenRepeats() throws {
    let model = try reference.model.withExpertsPerToken(4)
    let routing = try evaluation(["tales.search.txt"]).scoreAndRouting(model).routing[0]
    for layer in routing.layers {
      #expect(layer.shares == [0.25, 0.25, 0.25, 0.25] && layer.balance == 1)
      #expect(layer.overlap == (layer.repeated == nil ? nil : 1))
      #expect(layer.deadExperts.isEmpty && layer.overloadedExperts.isEmpty)
    }
  }

  /// A mixture with a shared expert whose middle layer is dense.
  @Test func sharedExpertsAreNotAmongTheChoices() throws {
    let model = try ArchitectureFixture(name: "qwen2_moe").model
    let tokens = (0..<512).map { (index: Int) -> Int32 in Int32((7 * index * index + index / 5) % 64) }
    let evaluation = try Evaluation(
      [Corpus(path: "numbers", tokens: tokens)], convention: .windows, context: 64, tokenizer: reference.tokenizer)
    let routing = try #require(evaluation.scoreAndRouting(model).routing.first)
    #expect(routing.layers.map(\.experts.count) == [5, 1, 5])
    #expect(routing.layers.map(\.choices) == [2 * routing.tokens, routing.tokens, 2 * routing.tokens])
    #expect(routing.layers.allSatisfy { $0.repeated == nil })
    let adjacent = try ArchitectureFixture(name: "olmoe").model
    let repeated = try #require(evaluation.scoreAndRouting(adjacent).routing.first?.layers[1].repeated)
    #expect((1..<3 * routing.tokens).contains(repeated))
  }

  @Test func aDenseModelHasNoRouter() throws {
    let model = try Reference.dense.model
    let evaluation = try evaluation(["tales.search.txt"])
    #expect { try evaluation.scoreAndRouting(model) } throws: { "\($0)".contains("a dense model has no router") }
    #expect { try model.withExpertsPerToken(1) } throws: { "\($0)".contains("dense") }
  }

  @Test(arguments: [0, 5, -1]) func expertsPerTokenThatTheModelCannotHave(_ count: Int) throws {
    let model = try reference.model
    #expect { try model.withExpertsPerToken(count) } throws: { "\($0)".contains("\(count) experts per token") }
  }

  @Test func theConfiguredNumberOfExpertsChangesNothing() throws {
    let evaluation = try evaluation(["tales.search.txt"])
    let model = try reference.model
    let score = try evaluation.score(model)
    #expect(try evaluation.score(model.withExpertsPerToken(2)) == score)
    #expect(try evaluation.score(model.withExpertsPerToken(1)) != score)
  }

  @Test func derivedFigures() {
    func layer(_ tokens: [Int], singularValues: [Double] = [1], repeated: Int? = nil) -> RoutingStatistics.Layer {
      .init(
        experts: tokens.map { .init(tokens: $0, weight: Double($0) / 2) }, repeated: repeated,
        gateSingularValues: singularValues)
    }
    let uneven = layer([1000, 995, 5, 0], singularValues: [6, 3, 2, 1.5], repeated: 500)
    #expect(uneven.shares == [0.5, 0.4975, 0.0025, 0])
    #expect(uneven.deadExperts == [2, 3] && uneven.overloadedExperts == [0, 1])
    #expect(uneven.overlap == 0.25 && uneven.condition == 4)
    #expect(uneven.experts[0].meanWeight == 0.5 && uneven.experts[3].meanWeight == 0)
    #expect(layer([7, 7]).balance == 1 && layer([7, 0]).balance == 0)
    // −(¼ ln ¼ + ¾ ln ¾) / ln 2
    #expect(abs(layer([1, 3]).balance - 0.8112781) < 1e-6)
    #expect(layer([1, 1], singularValues: [1, 0]).condition == .infinity)
  }

  /// A share of 1 % is little among 4 experts and more than its part among 128.
  @Test func deadIsRelativeToAnEqualShare() {
    func dead(_ tokens: [Int]) -> [Int] {
      RoutingStatistics.Layer(
        experts: tokens.map { .init(tokens: $0, weight: 0) }, repeated: nil, gateSingularValues: []
      ).deadExperts
    }
    #expect(dead(Array(repeating: 10, count: 128)).isEmpty)
    #expect(dead(Array(repeating: 100, count: 127) + [4]) == [127])
    #expect(dead([1000, 1000, 1000, 30]) == [3] && dead([1000, 1000, 1000, 60]).isEmpty)
  }

  /// Equation 4 of the Switch paper, and what a capacity would drop, worked out by hand.
  @Test func loadsAsMixturesAreTrainedBy() throws {
    func layer(_ tokens: [Int], _ probabilities: [Double?]) -> RoutingStatistics.Layer {
      .init(
        experts: zip(tokens, probabilities).map { .init(tokens: $0, weight: 0, probability: $1) }, repeated: nil,
        gateSingularValues: [])
    }
    let even = layer([50, 50, 50, 50], [25, 25, 25, 25])
    #expect(even.balanceLoss(tokens: 100) == 1 && even.overflow(capacityFactor: 1) == 0)
    // 4 · (0.5 · 0.4 + 0.25 · 0.3 + 0.25 · 0.2)
    let uneven = layer([100, 50, 50, 0], [40, 30, 20, 10])
    #expect(abs(try #require(uneven.balanceLoss(tokens: 100)) - 1.3) < 1e-12)
    #expect(RoutingStatistics.Layer.capacityFactors.map(uneven.overflow) == [0.25, 0.1875, 0])
    #expect(layer([200, 0, 0, 0], [100, 0, 0, 0]).balanceLoss(tokens: 100) == 4)
    #expect(layer([1, 1], [nil, nil]).balanceLoss(tokens: 2) == nil)
  }

  @Test func probabilitiesAreThoseOfAllTokens() throws {
    let model = try reference.model
    let routing = try evaluation(["tales.search.txt"]).scoreAndRouting(model).routing[0]
    for layer in routing.layers {
      let sums = layer.experts.compactMap(\.probability)
      #expect(sums.count == 4 && abs(sums.reduce(0, +) - Double(routing.tokens)) < 1e-3 * Double(routing.tokens))
      let loss = try #require(layer.balanceLoss(tokens: routing.tokens))
      #expect(loss > 0.9 && loss < 4)
    }
    // With every expert chosen, the weights are the probabilities.
    let all = try evaluation(["tales.search.txt"]).scoreAndRouting(model.withExpertsPerToken(4)).routing[0]
    for expert in all.layers[2].experts { #expect(abs((expert.probability ?? 0) - expert.weight) < 1e-2) }
  }

  @Test func theStoredFormIsStable() throws {
    let statistics = RoutingStatistics(
      tokens: 3,
      layers: [
        .init(experts: [.init(tokens: 3, weight: 1.5)], repeated: nil, gateSingularValues: [2]),
        .init(experts: [.init(tokens: 3, weight: 1.5)], repeated: 3, gateSingularValues: [2]),
      ])
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(statistics), as: UTF8.self)
    let layer = #"{"experts":[{"tokens":3,"weight":1.5}],"gateSingularValues":[2]"#
    #expect(text == #"{"layers":[\#(layer)},\#(layer),"repeated":3}],"tokens":3}"#)
    #expect(try JSONDecoder().decode(RoutingStatistics.self, from: Data(text.utf8)) == statistics)
  }
}
