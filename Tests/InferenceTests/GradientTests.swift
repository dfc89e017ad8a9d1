import Inference
import Models
import RankReduction
import Tensors
import Testing

/// Gradients of the loss at every kind of matrix, against differences of the loss itself.
@Suite struct GradientTests {
  /// Σ −log p over two windows when one matrix is another.
  private func loss(_ model: Model, _ batch: WindowBatch) throws -> Double {
    let forward = try ForwardPass(model, batch)
    let states = try forward.embeddings()
    for layer in 0..<model.configuration.layerCount { try forward.run(layer: layer, states) }
    return try forward.likelihoods(states).map(\.nll).reduce(0, +)
  }

  /// By site: Σ g xᵀ over all tokens, the gradient at the matrix.
  private func gradients(
    _ model: Model, _ batch: WindowBatch, weights: [Double]? = nil
  ) throws -> [Site: DoubleMatrix] {
    let forward = try ForwardPass(model, batch)
    var states = [try forward.embeddings()]
    for layer in 0..<model.configuration.layerCount {
      let next = states[layer].copy()
      try forward.run(layer: layer, next)
      states.append(next)
    }
    let pass = GradientPass(forward)
    let gradient = try pass.gradient(ofLast: states[model.configuration.layerCount], weights: weights)
    var result: [Site: DoubleMatrix] = [:]
    for layer in (0..<model.configuration.layerCount).reversed() {
      try pass.run(layer: layer, states[layer], gradient, observing: Set(Role.allCases)) { seen in
        var sum = DoubleMatrix.zeros(rows: seen.gradients.columns, columns: seen.inputs.columns)
        for token in 0..<seen.inputs.rows {
          let (x, g) = (seen.inputs.row(token), seen.gradients.row(token))
          for row in g.indices {
            for column in x.indices { sum.elements[row * x.count + column] += Double(g[row]) * Double(x[column]) }
          }
        }
        result[seen.site] = sum
      }
    }
    return result
  }

  @Test(arguments: ArchitectureFixture.all)
  func gradientsAreWhatDifferencesOfTheLossSay(_ fixture: ArchitectureFixture) throws {
    let model = try fixture.model
    let ids = try fixture.recorded.integers("input_ids")
    let half = ids.count / 2
    let batch = WindowBatch([
      WindowBatch.Window(tokens: Array(ids[..<half]), firstScored: 1),
      WindowBatch.Window(tokens: Array(ids[half...]), firstScored: 3),
    ])
    let gradients = try gradients(model, batch)
    var generator = SplitMix64(seed: 5)
    var compared = 0
    for site in model.sites {
      guard let gradient = gradients[site], gradient.frobeniusNorm > 1e-3 else { continue }
      let weights = DoubleMatrix(try model.weights(model.reference(of: site)))
      let norm = gradient.frobeniusNorm
      let noise = (0..<gradient.elements.count).map { _ in generator.nextNormal() }
      let noiseNorm = noise.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let mixed = zip(gradient.elements, noise).map { $0 / norm + $1 / noiseNorm }
      let expected = zip(gradient.elements, mixed).reduce(0) { $0 + $1.0 * $1.1 }
      // Of several steps the one that agrees best: the choice of experts is not smooth, and float32 is noisy.
      let errors = try [0.03, 0.01, 0.003, 0.001, 0.0003].map { step in
        let losses = try [1.0, -1].map { sign in
          let moved = DoubleMatrix(
            rows: weights.rows, columns: weights.columns,
            elements: zip(weights.elements, mixed).map { $0 + sign * step * $1 })
          return try loss(model.replacing(site, by: StoredMatrix(rounding: moved, to: .float32)), batch)
        }
        return abs((losses[0] - losses[1]) / (2 * step) - expected)
      }
      #expect((errors.min() ?? .infinity) < 0.02 * norm + 1e-3, "\(site): \(errors) of \(norm)")
      compared += 1
    }
    #expect(compared >= 7)
  }

  /// What texts have in common is run once; its gradient is the sum of what each text brings. A state may predict several
  /// tokens, and a token may count for less than nothing.
  @Test(arguments: ArchitectureFixture.all)
  func branchesHaveTheGradientOfTheirTexts(_ fixture: ArchitectureFixture) throws {
    let model = try fixture.model
    let texts = try BranchTests.texts(fixture)
    let weights = texts.enumerated().map { [1, -0.4, 0.25, -2][$0.offset % 4] }
    func gradients(_ windows: [WindowBatch.Window], _ weights: [Double]) throws -> [Site: DoubleMatrix] {
      let counts = zip(windows.flatMap { window in window.parts.map(\.count) }, weights)
      return try self.gradients(
        model, WindowBatch(windows), weights: counts.flatMap { Array(repeating: $1, count: $0) })
    }
    let together = try gradients([WindowBatch.Window(texts: texts, number: nil)], weights)
    let apart = try gradients(
      texts.map { WindowBatch.Window(tokens: $0.tokens, firstScored: $0.firstScored) }, weights)
    #expect(together.count == apart.count && together.count >= 7)
    for (site, gradient) in apart {
      let other = try #require(together[site])
      let difference = zip(gradient.elements, other.elements).map { abs($0 - $1) }.max() ?? 0
      #expect(difference <= 1e-4 * (1 + gradient.frobeniusNorm), "\(site)")
    }
  }
}
