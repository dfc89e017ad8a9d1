import CheckpointFixtures
import Evaluation
import Inference
import Models
import RankReduction
import Tensors
import Testing

/// Statistics of directions from passes backwards.
@Suite(.serialized) struct DirectionPassTests {
  /// States that enter each layer, and those after the last.
  private func states(_ forward: ForwardPass) throws -> [Matrix] {
    var states = [try forward.embeddings()]
    for layer in 0..<forward.model.configuration.layerCount {
      let next = states[layer].copy()
      try forward.run(layer: layer, next)
      states.append(next)
    }
    return states
  }

  /// The findings at all sites, the last layer's first.
  ///
  /// - Parameter groups: Windows that go together.
  private func findings(
    _ reducer: Reducer, _ groups: [[WindowBatch.Window]], folds: [[Int]], memory: Int = .max,
    checkpoint: () throws -> Void = {}
  ) throws -> [DirectionPass.Finding] {
    let folder = try TemporaryFolder()
    let model = reducer.model
    let layers = model.configuration.layerCount
    let passes = try groups.map { try ForwardPass(model, WindowBatch($0)) }
    let known = try passes.map(states)
    let pass = DirectionPass(reducer, memory: memory, scratchFolder: folder.path("."))
    let parts = try passes.indices.map { index in
      DirectionPass.Group(
        passes[index], folds: folds[index],
        gradient: try GradientPass(passes[index]).gradient(ofLast: known[index][layers], checkpoint: checkpoint))
    }
    var found: [DirectionPass.Finding] = []
    for layer in (0..<layers).reversed() {
      try pass.run(
        layer: layer, sites: model.sites.filter { $0.layer == layer }, groups: parts, foldCount: 2,
        states: { known[$0][layer] }, checkpoint: checkpoint, report: { found.append($0) })
    }
    return found
  }

  private func loss(_ model: Model, _ windows: [WindowBatch.Window]) throws -> Double {
    let forward = try ForwardPass(model, WindowBatch(windows))
    let states = try forward.embeddings()
    for layer in 0..<model.configuration.layerCount { try forward.run(layer: layer, states) }
    return try forward.likelihoods(states).map(\.nll).reduce(0, +)
  }

  /// dL/dfᵢ = −Σ cᵢ: along a random direction of the factors' space at every site, against differences of the loss.
  @Test(arguments: ["mixtral", "qwen2_moe", "qwen3-layer-types", "llama"], [false, true])
  func gradientsOfFiltersAreWhatDifferencesOfTheLossSay(_ name: String, isControl: Bool) throws {
    let fixture = ArchitectureFixture(name: name)
    let model = try fixture.model
    let ids = try fixture.recorded.integers("input_ids")
    let half = ids.count / 2
    let windows = [
      WindowBatch.Window(tokens: Array(ids[..<half]), firstScored: 1),
      WindowBatch.Window(tokens: Array(ids[half...]), firstScored: 3),
    ]
    let reducer = try Reducer(model, base: nil, isControl: isControl)
    var generator = SplitMix64(seed: 7)
    var compared = 0
    for finding in try findings(reducer, [windows], folds: [[0, 1]]) {
      let statistics = finding.folds[0] + finding.folds[1]
      #expect(finding.folds.map(\.windows) == [1, 1])
      #expect(abs(statistics.totalSum - statistics.sums.reduce(0, +)) < 1e-9 * (1 + abs(statistics.totalSum)))
      let norm = statistics.sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard norm > 1e-3 else { continue }
      // Partly along the gradient, so that the slope is no small difference.
      let noise = statistics.sums.map { _ in generator.nextNormal() }
      let noiseNorm = noise.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let way = zip(statistics.sums, noise).map { -$0 / norm + $1 / noiseNorm }
      let expected = -zip(statistics.sums, way).reduce(0) { $0 + $1.0 * $1.1 }
      let decomposition = try reducer.decompose(finding.site)
      let errors = try [0.1, 0.03, 0.01, 0.003].map { step in
        let losses = try [1.0, -1].map { sign in
          let filter = Filter.factors(way.map { Float(1 + sign * step * $0) })
          try filter.check(fullRank: decomposition.fullRank)
          let matrix = try decomposition.reduced(by: filter, type: .float32)
          return try loss(model.replacing(finding.site, by: matrix), windows)
        }
        return abs((losses[0] - losses[1]) / (2 * step) - expected)
      }
      #expect((errors.min() ?? .infinity) < 0.02 * norm + 1e-3, "\(finding.site): \(errors) of \(norm)")
      compared += 1
    }
    #expect(compared >= 7)
  }

  /// An expert's 1536 hidden channels in one block or three, all windows at once or each by itself, all directions of
  /// a layer at once or one site's after another's, with one thread or three.
  @Test func noBitDependsOnGroupsMemoryOrThreads() throws {
    let folder = try TemporaryFolder()
    var mixture = SyntheticMixture(layerCount: 2)
    (mixture.hiddenSize, mixture.intermediateSize, mixture.vocabularySize) = (64, 1536, 2048)
    (mixture.headCount, mixture.keyValueHeadCount, mixture.expertCount) = (4, 2, 4)
    for seed in [1, 2] {
      _ = try Synthesis(mixture, seed: UInt64(seed)).write(
        to: folder.path("\(seed)"), shardSize: 1 << 20, replacesExisting: false, tokenizer: nil)
    }
    let model = try Model(path: folder.path("1"))
    let base = try Model(path: folder.path("2"))
    // One of them so short that no token of it comes to some expert.
    let windows = [61, 7, 200, 2, 90].enumerated().map { index, length in
      WindowBatch.Window(tokens: (0..<length).map { Int32((37 * $0 * $0 + 911 * index) % 2048) }, firstScored: 1)
    }
    let folds = [0, 1, 0, 1, 1]
    let whole = try findings(Reducer(model, base: base), [windows], folds: [folds])
    #expect(whole.count == 2 * (4 + 4 * 3))
    #expect(whole.allSatisfy { $0.folds.map(\.windows) == [2, 3] })
    #expect(whole.allSatisfy { $0.folds[0].sums.contains { $0 != 0 } })

    func expectSame(_ other: [DirectionPass.Finding], _ what: String) {
      #expect(other.map(\.site) == whole.map(\.site), "\(what)")
      #expect(other.map(\.folds) == whole.map(\.folds), "\(what)")
    }
    let cut = [[0, 1], [2], [3, 4]]
    let groups = cut.map { $0.map { windows[$0] } }
    let groupFolds = cut.map { $0.map { folds[$0] } }
    expectSame(try findings(Reducer(model, base: base), groups, folds: groupFolds), "groups")
    expectSame(try findings(Reducer(model, base: base), groups, folds: groupFolds, memory: 0), "one by one")
    let plan = try #require(try smallestPlan(model))
    expectSame(
      try findings(Reducer(model.within(plan), base: base), groups, folds: groupFolds, memory: 0), "blocks of channels")
    let before = Parallelism.threads
    defer { Parallelism.threads = before }
    for threads in [1, 3] {
      Parallelism.threads = threads
      expectSame(try findings(Reducer(model, base: base), groups, folds: groupFolds), "\(threads) threads")
    }
  }

  private func smallestPlan(_ model: Model) throws -> MemoryPlan? {
    let refusal = #expect(throws: MemoryPlan.TooSmall.self) {
      try MemoryPlan(bytes: 1, models: [model], window: 200, bytesPerToken: model.bytesOfGradient)
    }
    let least = try #require(refusal).least
    return try MemoryPlan(bytes: least, models: [model], window: 200, bytesPerToken: model.bytesOfGradient)
  }

  private struct Stopped: Error {}

  /// Whatever is being done, a checkpoint that throws ends it.
  @Test func checkpointsEndThePass() throws {
    let fixture = ArchitectureFixture(name: "mixtral")
    let windows = [WindowBatch.Window(tokens: try fixture.recorded.integers("input_ids"), firstScored: 1)]
    let reducer = try Reducer(fixture.model, base: nil)
    for memory in [Int.max, 0] {
      var count = 0
      _ = try findings(reducer, [windows], folds: [[0]], memory: memory) { count += 1 }
      #expect(count > 40)
      for last in [0, 1, count / 3, count / 2, count - 1] {
        var seen = 0
        #expect(throws: Stopped.self) {
          try findings(reducer, [windows], folds: [[0]], memory: memory) {
            if seen == last { throw Stopped() }
            seen += 1
          }
        }
      }
    }
  }
}
