import RankReduction
import Tensors
import Testing
import Wording

@Suite struct RankRuleTests {
  @Test func whatPeopleWrite() {
    #expect(RankRule("0.5") == .fraction(0.5))
    #expect(RankRule("1.0") == .fraction(1))
    #expect(RankRule("0.0") == .fraction(0))
    #expect(RankRule("64") == .rank(64))
    #expect(RankRule("0") == .rank(0))
    #expect(RankRule("energy:0.9") == .energy(0.9))
    #expect(RankRule("noise-edge") == .noiseEdge)
    #expect(RankRule("laser-rmt") == .laserRMT)
    #expect(RankRule("svht") == .optimalThreshold)
    for text in ["", "1.5", "-1", "x", "1e3", "nan", "energy:", "energy:2.0", "energy:0.0", "-0.5", "noise"] {
      #expect(RankRule(text) == nil, "\(text)")
    }
    for text in ["0.5", "64", "energy:0.9", "noise-edge", "svht", "laser-rmt"] {
      #expect(RankRule(text)?.description == text)
    }
  }

  @Test func ranks() {
    let spectrum = Spectrum(singularValues: [4, 2, 2, 1], rows: 4, columns: 9)
    #expect(RankRule.fraction(0.5).rank(for: spectrum) == 2)
    #expect(RankRule.fraction(0.01).rank(for: spectrum) == 1)
    #expect(RankRule.fraction(1).rank(for: spectrum) == 4)
    #expect(RankRule.rank(0).rank(for: spectrum) == 0)
    // What leaves nothing leaves not even one direction.
    #expect(RankRule.fraction(0).rank(for: spectrum) == 0)
    // σ²: 16, 4, 4, 1 of 25.
    #expect(RankRule.energy(0.64).rank(for: spectrum) == 1)
    #expect(RankRule.energy(0.65).rank(for: spectrum) == 2)
    #expect(RankRule.energy(1).rank(for: spectrum) == 4)
    #expect(throws: InputError.self) { try RankRule.rank(5).check(fullRank: 4) }
  }

  // Gavish & Donoho 2014, table IV: ω(β) = λ(β) / √μ with λ their optimal threshold; from it μ at β = 1, 0.5, 0.1.
  @Test(arguments: [(1.0, 0.6528), (0.5, 0.8304), (0.1, 0.9664)]) func medianOfTheMarchenkoPasturLaw(
    aspect: Double, median: Double
  ) {
    #expect(abs(MarchenkoPastur.median(aspect: aspect) - median) < 2e-3)
  }

  @Test(arguments: [(400, 400), (600, 250), (250, 600)]) func noiseEdgeKeepsNextToNothingOfNoise(shape: (Int, Int))
    throws
  {
    let spectrum = try Self.spectrum(noise: 0.02, shape: shape, rank: 0, strength: 0)
    #expect(Double(spectrum.rankAboveNoise) < 0.01 * Double(spectrum.fullRank))
    let expected = 0.02 * (Double(shape.0).squareRoot() + Double(shape.1).squareRoot())
    #expect(abs(spectrum.noiseEdge / expected - 1) < 0.02)
    // What the rule is compared with keeps a large part of it.
    #expect(Double(spectrum.rankByLaserRMT) > 0.2 * Double(spectrum.fullRank))
  }

  @Test(arguments: [(400, 400), (600, 250), (250, 600)]) func noiseEdgeFindsTheRankBelowNoise(shape: (Int, Int)) throws
  {
    let spectrum = try Self.spectrum(noise: 0.02, shape: shape, rank: 12, strength: 3)
    #expect(spectrum.rankAboveNoise == 12)
  }

  /// Noise plus `rank` directions, each `strength` times the edge of noise.
  private static func spectrum(noise: Double, shape: (Int, Int), rank: Int, strength: Double) throws -> Spectrum {
    var generator = Generator(state: 11)
    var elements = (0..<shape.0 * shape.1).map { _ in noise * generator.normal() }
    let edge = noise * (Double(shape.0).squareRoot() + Double(shape.1).squareRoot())
    for _ in 0..<rank {
      let left = generator.unitVector(shape.0)
      let right = generator.unitVector(shape.1)
      for i in 0..<shape.0 {
        for j in 0..<shape.1 { elements[i * shape.1 + j] += strength * edge * left[i] * right[j] }
      }
    }
    let matrix = DoubleMatrix(rows: shape.0, columns: shape.1, elements: elements)
    return Spectrum(
      singularValues: try SingularValueDecomposition(matrix).singularValues, rows: shape.0, columns: shape.1)
  }

  private struct Generator {
    var state: UInt64

    mutating func normal() -> Double {
      (0..<12).reduce(-6.0) { sum, _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return sum + Double(state >> 11) / Double(1 << 53)
      }
    }

    mutating func unitVector(_ count: Int) -> [Double] {
      let values = (0..<count).map { _ in normal() }
      let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return values.map { $0 / length }
    }
  }
}
