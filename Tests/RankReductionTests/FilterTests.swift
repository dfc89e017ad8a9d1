import CheckpointFixtures
import Inference
import Models
import RankReduction
import Tensors
import Testing
import Wording

/// Matrices that filters make of a small mixture's, tall, wide and square; with and without a base.
@Suite struct FilterTests {
  /// How a site is decomposed.
  enum Way: CaseIterable, CustomTestStringConvertible {
    case plain, relative, control, relativeControl

    var testDescription: String { "\(self)" }
    var hasBase: Bool { self == .relative || self == .relativeControl }
    var isControl: Bool { self == .control || self == .relativeControl }
  }

  private let folder: TemporaryFolder
  private let model: Model
  private let base: Model
  /// 24 × 16, 16 × 24, 16 × 16, 8 × 16.
  private static let sites = [
    Site(layer: 0, expert: 1, role: .w1), Site(layer: 1, expert: 0, role: .w2),
    Site(layer: 1, expert: nil, role: .query),
    Site(layer: 0, expert: nil, role: .key),
  ]

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel(seed: 1).write(to: folder["model"])
    try TinyModel(seed: 2).write(to: folder["base"])
    model = try Model(path: folder.path("model"))
    base = try Model(path: folder.path("base"))
  }

  private func reducer(_ way: Way) throws -> Reducer {
    try Reducer(model, base: way.hasBase ? base : nil, isControl: way.isControl)
  }

  private func bytes(_ matrix: StoredMatrix) -> [UInt8] { matrix.region.withBytes { Array($0) } }

  private func numbers(_ matrix: StoredMatrix) throws -> [Double] {
    try matrix.doubles(rows: 0..<matrix.rows, columns: 0..<matrix.columns).elements
  }

  private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
    a.count == b.count ? zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } : .infinity
  }

  @Test(arguments: Way.allCases) func onesAreTheVeryBytes(_ way: Way) throws {
    let reducer = try reducer(way)
    for site in Self.sites {
      let full = reducer.fullRank(of: site)
      let ones = [
        Filter.truncation(rank: full), .scale(1, directions: full), .factors(Array(repeating: 1, count: full)),
      ]
      let stored = bytes(try model.stored(model.reference(of: site)))
      for filter in ones {
        #expect(bytes(try reducer.decompose(site).reduced(by: filter)) == stored)
        let reduction = Reduction(site: site, kind: reducer.kind, filter: filter)
        #expect(bytes(try reducer.reduced([reduction])[0].matrix) == stored)
      }
    }
  }

  /// Decompositions that come back from disk, and those that could not go there, make the same bytes.
  @Test(arguments: Way.allCases, [true, false]) func keptDecompositionsAreTheSame(_ way: Way, isRoom: Bool) throws {
    let reducer = try reducer(way)
    let keeping = reducer.keepingDecompositions(in: isRoom ? folder.path(".") : "/absent/folder")
    for _ in 0..<2 {
      for site in Self.sites {
        let (made, kept) = (try reducer.decompose(site), try keeping.decompose(site))
        #expect(made.spectrum.singularValues == kept.spectrum.singularValues)
        #expect(made.spectrum.numericalRank == kept.spectrum.numericalRank)
        let filter = Filter.factors((0..<made.fullRank).map { [0, 0.25, 1, 2, 0.5][$0 % 5] })
        #expect(bytes(try kept.reduced(by: filter)) == bytes(try made.reduced(by: filter)))
        let reduction = Reduction(site: site, kind: reducer.kind, filter: filter)
        #expect(bytes(try keeping.reduced([reduction])[0].matrix) == bytes(try made.reduced(by: filter)))
      }
    }
  }

  @Test(arguments: Way.allCases) func choosingAPrefixIsTruncationToTheBit(_ way: Way) throws {
    let reducer = try reducer(way)
    for site in Self.sites {
      let decomposition = try reducer.decompose(site)
      let full = decomposition.fullRank
      for rank in 0...full {
        let chosen = Filter.factors((0..<full).map { $0 < rank ? 1 : 0 })
        #expect(chosen.rank == rank)
        let truncated = try decomposition.reduced(by: .truncation(rank: rank))
        #expect(bytes(try decomposition.reduced(by: chosen)) == bytes(truncated), "\(site) \(rank)")
        #expect(bytes(try decomposition.reduced(to: rank)) == bytes(truncated))
      }
    }
  }

  /// Σ fᵢ (W_{i+1} − W_i), from truncations alone. Few factors that are not 0, few that are not 1, and neither.
  @Test(arguments: Way.allCases, [0, 1, 2]) func eachDirectionHasItsFactor(_ way: Way, _ pattern: Int) throws {
    let reducer = try reducer(way)
    for site in Self.sites {
      let decomposition = try reducer.decompose(site)
      let full = decomposition.fullRank
      let factors = (0..<full).map { (index: Int) -> Float in
        switch pattern {
        case 0: index % 5 == 2 ? 0.75 : 0
        case 1: index % 5 == 2 ? 1.5 : 1
        default: [0, 0.25, 1, 2, 0.5][index % 5]
        }
      }
      let ranks = try (0...full).map { try numbers(decomposition.reduced(to: $0, type: .float32)) }
      var expected = ranks[0]
      for (direction, factor) in factors.enumerated() {
        for index in expected.indices {
          expected[index] += Double(factor) * (ranks[direction + 1][index] - ranks[direction][index])
        }
      }
      let filtered = try decomposition.reduced(by: .factors(factors), type: .float32)
      // Each of the 2 r truncations is rounded to 2⁻²⁴ of numbers below 4.
      #expect(largestDifference(try numbers(filtered), expected) < 4 * 32 * 0x1p-23)
    }
  }

  @Test(arguments: Way.allCases) func aScaleIsExactBeforeItIsRounded(_ way: Way) throws {
    let reducer = try reducer(way)
    for site in Self.sites {
      let full = reducer.fullRank(of: site)
      let weights = try numbers(model.stored(model.reference(of: site)))
      let start = try way.hasBase ? numbers(base.stored(base.reference(of: site))) : weights.map { _ in 0 }
      for factor: Float in [0, 0.2, 2] {
        let matrix = try reducer.scaled(site, by: factor)
        let expected = DoubleMatrix(
          rows: matrix.rows, columns: matrix.columns,
          elements: zip(weights, start).map { $1 + Double(factor) * ($0 - $1) })
        #expect(bytes(matrix) == bytes(StoredMatrix(rounding: expected, to: .bfloat16)))
        let filter = Filter.scale(factor, directions: full)
        #expect(bytes(try reducer.decompose(site).reduced(by: filter)) == bytes(matrix))
        let reduced = try reducer.reduced([Reduction(site: site, kind: reducer.kind, filter: filter)])
        #expect(bytes(reduced[0].matrix) == bytes(matrix))
        let factors = Filter.factors(Array(repeating: factor, count: full))
        let filtered = try reducer.decompose(site).reduced(by: factors, type: .float32)
        #expect(largestDifference(try numbers(filtered), expected.elements) < 1e-6)
      }
    }
  }

  /// In a list of filters of all kinds each site has its own matrix.
  @Test(arguments: Way.allCases) func everySiteOfAListHasItsOwnMatrix(_ way: Way) throws {
    let reducer = try reducer(way)
    let reductions = model.sites.enumerated().map { index, site in
      let full = reducer.fullRank(of: site)
      let filters = [
        Filter.truncation(rank: 3), .scale(0.5, directions: full), .factors((0..<full).map { Float($0 % 3) / 2 }),
      ]
      return Reduction(site: site, kind: reducer.kind, filter: filters[index % 3])
    }
    let matrices = try reducer.reduced(reductions)
    #expect(matrices.map(\.site) == model.sites)
    for (reduction, made) in zip(reductions, matrices) {
      let alone = try reducer.decompose(reduction.site).reduced(by: reduction.filter)
      #expect(bytes(made.matrix) == bytes(alone), "\(reduction.site)")
      #expect((made.matrix.rows, made.matrix.columns) == (alone.rows, alone.columns))
    }
  }

  /// What is kept, and what is changed, as two thin factors.
  @Test(arguments: Way.allCases) func factorsHoldWhatIsKeptOrChanged(_ way: Way) throws {
    let reducer = try reducer(way)
    for site in Self.sites {
      let decomposition = try reducer.decompose(site)
      let full = decomposition.fullRank
      let filter = Filter.factors((0..<full).map { [1, 0, 0.25, 1, 1, 2, 0, 1][$0 % 8] })
      let kept = try decomposition.factors(by: filter, type: .float32)
      let changed = try decomposition.factors(ofChangeBy: filter, type: .float32)
      #expect(kept.rank == filter.rank && kept.rank == full * 6 / 8)
      #expect(changed.rank == filter.changedCount(fullRank: full) && changed.rank == full * 4 / 8)
      let filtered = try numbers(decomposition.reduced(by: filter, type: .float32))
      let weights = try numbers(model.stored(model.reference(of: site)))
      let start = try way.hasBase ? numbers(base.stored(base.reference(of: site))) : weights.map { _ in 0 }
      #expect(largestDifference(try numbers(StoredMatrix(kept)), zip(filtered, start).map { $0 - $1 }) < 2e-5)
      #expect(largestDifference(try numbers(StoredMatrix(changed)), zip(filtered, weights).map { $0 - $1 }) < 2e-5)
    }
  }

  @Test func whatIsNoFilterOfAMatrixIsRefused() throws {
    let reducer = try reducer(.plain)
    let site = Self.sites[0]
    let refused: [(Filter, String)] = [
      (.truncation(rank: 17), "rank 17"), (.truncation(rank: -1), "rank -1"), (.scale(0.5, directions: 15), "15"),
      (.scale(-0.5, directions: 16), "-0.5"), (.scale(.nan, directions: 16), "nan"),
      (.factors([1, 1]), "2 directions"),
      (.factors(Array(repeating: 1, count: 15) + [2.5]), "2.5 of direction 15"),
      (.factors(Array(repeating: 1, count: 15) + [.infinity]), "inf"),
    ]
    for (filter, words) in refused {
      let error = #expect(throws: InputError.self) {
        try reducer.reduced([Reduction(site: site, kind: .weights, filter: filter)])
      }
      #expect(error?.description.contains(words) == true && error?.description.contains("\(site)") == true)
    }
  }

  @Test func fingerprintsNameBytesAndTheirShape() throws {
    let numbers = DoubleMatrix(rows: 2, columns: 3, elements: [1, 2, 3, 4, 5, 6])
    let matrix = StoredMatrix(rounding: numbers, to: .bfloat16)
    // The same on every machine, as plans need it: FNV-1a of "BF16 2 3\0" and the bytes, computed apart.
    #expect(matrix.fingerprint == "69fe6074fbc4318e")
    let other = DoubleMatrix(rows: 3, columns: 2, elements: numbers.elements)
    #expect(StoredMatrix(rounding: other, to: .bfloat16).fingerprint != matrix.fingerprint)
    #expect(StoredMatrix(rounding: numbers, to: .float16).fingerprint != matrix.fingerprint)
    let decomposition = try reducer(.plain).decompose(Self.sites[0])
    #expect(try decomposition.reduced(to: 3).fingerprint != decomposition.reduced(to: 4).fingerprint)
  }
}
