import CheckpointFixtures
import Foundation
import Inference
import Models
import RankReduction
import Tensors
import Testing

/// What is noise in a spectrum: thresholds for noise of unknown strength, and rounding of known strength.
@Suite struct NoiseTests {
  // Gavish & Donoho 2014: 4/√3 and 2.858 for square matrices, and eq. 5, within 0.02 of ω(β).
  @Test func theOptimalThresholdIsThePapers() {
    #expect(abs(GavishDonoho.threshold(aspect: 1) - 4 / 3.0.squareRoot()) < 1e-14)
    #expect(abs(GavishDonoho.thresholdOfMedian(aspect: 1) - 2.858) < 1e-3)
    for β in stride(from: 0.05, through: 1, by: 0.05) {
      let approximation = 0.56 * β * β * β - 0.95 * β * β + 1.82 * β + 1.43
      #expect(abs(GavishDonoho.thresholdOfMedian(aspect: β) - approximation) < 0.02, "\(β)")
    }
  }

  private static let shapes = [(300, 300), (400, 200), (200, 400)]

  /// Noise of deviation 0.02, plus directions of some strengths in units of 0.02 √max(m, n).
  private func noisy(_ shape: (Int, Int), signal: [Double]) throws -> (matrix: DoubleMatrix, clean: DoubleMatrix) {
    var generator = SplitMix64(seed: 21)
    let (rows, columns) = shape
    var clean = DoubleMatrix.zeros(rows: rows, columns: columns)
    for strength in signal {
      let left = (0..<rows).map { _ in generator.nextNormal() / Double(rows).squareRoot() }
      let right = (0..<columns).map { _ in generator.nextNormal() / Double(columns).squareRoot() }
      let value = strength * 0.02 * Double(max(rows, columns)).squareRoot()
      for row in 0..<rows {
        for column in 0..<columns { clean.elements[row * columns + column] += value * left[row] * right[column] }
      }
    }
    let noise = DoubleMatrix(
      rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in 0.02 * generator.nextNormal() })
    return (clean + noise, clean)
  }

  private func spectrum(_ matrix: DoubleMatrix, _ decomposition: SingularValueDecomposition) -> Spectrum {
    Spectrum(singularValues: decomposition.singularValues, rows: matrix.rows, columns: matrix.columns)
  }

  @Test(arguments: shapes) func theOptimalThresholdFindsStrongDirections(shape: (Int, Int)) throws {
    let signal = [8.0, 7, 6, 5, 4]
    let matrix = try noisy(shape, signal: signal).matrix
    let found = spectrum(matrix, try SingularValueDecomposition(matrix))
    #expect(RankRule.optimalThreshold.rank(for: found) == signal.count)
    let noise = try noisy(shape, signal: []).matrix
    #expect(try spectrum(noise, SingularValueDecomposition(noise)).rankByOptimalThreshold == 0)
  }

  /// η = x c c̃, by the relation of a direction's true strength x to its noisy one y = √((x + 1/x)(x + β/x)) and to
  /// the cosines c and c̃ between true and noisy vectors (Benaych-Georges & Nadakuditi 2012), not by the paper's
  /// closed form.
  @Test(arguments: shapes) func theShrinkerIsWhatTrueStrengthsAndCosinesSay(shape: (Int, Int)) throws {
    let matrix = try noisy(shape, signal: [6, 3, 2]).matrix
    let found = spectrum(matrix, try SingularValueDecomposition(matrix))
    let filter = found.frobeniusShrinker
    let β = Double(min(shape.0, shape.1)) / Double(max(shape.0, shape.1))
    let unit = found.noiseEdge / (1 + β.squareRoot())
    for (direction, value) in found.singularValues.enumerated() {
      let y = value / unit
      guard y > 1 + β.squareRoot() else {
        #expect(filter.factor(of: direction) == 0)
        continue
      }
      // x by bisection, above β^¼.
      var (low, high) = (pow(β, 0.25), y)
      for _ in 0..<200 {
        let x = (low + high) / 2
        if ((x + 1 / x) * (x + β / x)).squareRoot() < y { low = x } else { high = x }
      }
      let x = low
      let cosines = ((pow(x, 4) - β) / (pow(x, 4) + β * x * x) * (pow(x, 4) - β) / (pow(x, 4) + x * x)).squareRoot()
      #expect(abs(Double(filter.factor(of: direction)) - x * cosines / y) < 1e-5, "\(direction)")
    }
    #expect(filter.factor(of: 0) > filter.factor(of: 2) && filter.factor(of: 2) > 0 && filter.factor(of: 0) < 1)
  }

  @Test(arguments: shapes) func theShrinkerIsNearerToTheTruthThanAnyTruncation(shape: (Int, Int)) throws {
    let (matrix, clean) = try noisy(shape, signal: [4, 3, 2.5, 2, 2])
    let decomposition = try SingularValueDecomposition(matrix)
    let filter = spectrum(matrix, decomposition).frobeniusShrinker
    let shrunk = decomposition.filter(filter.factors(fullRank: decomposition.fullRank).map(Double.init))
      .applied(to: matrix)
    let truncated = (0...20).map { (decomposition.truncated(matrix, rank: $0) - clean).frobeniusNorm }
    #expect((shrunk - clean).frobeniusNorm < truncated.min() ?? 0)
  }

  // MARK: Rounding

  /// A base, rounded to bfloat16, plus a tuning of some rank, rounded again; and their difference's spectrum.
  private func tuned(
    _ shape: (Int, Int), rank: Int, deviation: Double, base type: ElementType = .bfloat16
  ) throws -> Spectrum {
    var generator = SplitMix64(seed: 31)
    let (rows, columns) = shape
    func rounded(_ matrix: DoubleMatrix, _ type: ElementType) throws -> DoubleMatrix {
      try StoredMatrix(rounding: matrix, to: type).doubles(rows: 0..<rows, columns: 0..<columns)
    }
    let base = try rounded(
      DoubleMatrix(
        rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in 0.02 * generator.nextNormal() }), type)
    var tuning = DoubleMatrix.zeros(rows: rows, columns: columns)
    if rank == min(rows, columns) {
      tuning.elements = tuning.elements.map { _ in deviation * generator.nextNormal() }
    } else {
      for _ in 0..<rank {
        let left = (0..<rows).map { _ in generator.nextNormal() }
        let right = (0..<columns).map { _ in deviation / Double(rank).squareRoot() * generator.nextNormal() }
        for row in 0..<rows {
          for column in 0..<columns { tuning.elements[row * columns + column] += left[row] * right[column] }
        }
      }
    }
    let weights = try rounded(base + tuning, .bfloat16)
    var noise = RoundingNoise(rows: rows, columns: columns)
    // In two parts, as a site is decomposed.
    let longer = max(rows, columns)
    for part in [0..<longer / 3, longer / 3..<longer] {
      let (lines, places) = rows >= columns ? (part, 0..<columns) : (0..<rows, part)
      func cut(_ matrix: DoubleMatrix) -> DoubleMatrix {
        DoubleMatrix(
          rows: lines.count, columns: places.count,
          elements: lines.flatMap { row in places.map { matrix.elements[row * columns + $0] } })
      }
      noise.take(cut(weights), .bfloat16, cut(base), type, at: part.lowerBound)
    }
    let decomposition = try SingularValueDecomposition(weights - base)
    return Spectrum(
      singularValues: decomposition.singularValues, rows: rows, columns: columns, roundingEdge: noise.edge)
  }

  /// The entries of the tuning are 8 times and 2 times as large as the spacing of the numbers that they move; half of
  /// them.
  @Test(arguments: shapes, [1e-3, 2e-4, 6e-5]) func aPlantedRankIsFoundThroughRounding(
    shape: (Int, Int), deviation: Double
  ) throws {
    let found = try tuned(shape, rank: 16, deviation: deviation)
    #expect(found.numericalRank == 16)
    // Half of it is 8 directions, not half of the full rank.
    #expect(RankRule.fraction(0.5).rank(for: found, fractionsOf: found.numericalRank) == 8)
    #expect(RankRule.fraction(0.5).rank(for: found) == found.fullRank / 2)
    #expect(RankRule.fraction(0.01).rank(for: found, fractionsOf: 0) == 0)
  }

  @Test(arguments: shapes) func roundingAloneHasNoRank(shape: (Int, Int)) throws {
    #expect(try tuned(shape, rank: 0, deviation: 0).numericalRank == 0)
    // The base in more digits: the difference is the rounding of the weights, and stands just below its edge.
    let found = try tuned(shape, rank: 0, deviation: 0, base: .float32)
    #expect(found.numericalRank == 0)
    let edge = try #require(found.roundingEdge)
    #expect(found.singularValues[0] > 0.7 * edge && found.singularValues[0] < edge)
  }

  @Test(arguments: shapes) func aTuningOfAllDirectionsHasNearlyFullRank(shape: (Int, Int)) throws {
    let found = try tuned(shape, rank: min(shape.0, shape.1), deviation: 1e-3)
    #expect(Double(found.numericalRank ?? 0) > 0.9 * Double(found.fullRank))
  }

  @Test func decompositionsOfSitesKnowTheirRounding() throws {
    let folder = try TemporaryFolder()
    try TinyModel(seed: 3).write(to: folder["model"])
    let model = try Model(path: folder.path("model"))
    let site = Site(layer: 0, expert: 1, role: .w2)
    let itself = try Reducer(model, base: model).decompose(site).spectrum
    #expect(itself.numericalRank == 0)
    let plain = try Reducer(model, base: nil).decompose(site).spectrum
    #expect(plain.numericalRank == plain.fullRank && plain.roundingEdge ?? 0 > 0)
    // In files, and in those of versions that did not have it.
    let written = try JSONEncoder().encode(SiteSpectrum(site, kind: .weights, plain))
    let read = try JSONDecoder().decode(SiteSpectrum.self, from: written)
    #expect(read.spectrum?.numericalRank == plain.numericalRank)
    let older = try #require(
      try JSONSerialization.jsonObject(with: written) as? [String: Any]
    ).filter { $0.key != "rounding_edge" }
    let old = try JSONDecoder().decode(SiteSpectrum.self, from: JSONSerialization.data(withJSONObject: older))
    #expect(old.spectrum != nil && old.spectrum?.numericalRank == nil)
  }

  /// Numbers in blocks share their scale.
  @Test func roundingOfBlocksIsNotKnown() {
    var noise = RoundingNoise(rows: 1, columns: 32)
    noise.take(.zeros(rows: 1, columns: 32), .q80, nil, nil, at: 0)
    #expect(noise.edge == nil)
  }
}
