import Foundation
import Tensors
import Testing

struct MatrixScratchTests {
  private static func matrix(_ rows: Int, _ columns: Int, from start: Float) -> Matrix {
    Matrix(rows: rows, columns: columns, elements: (0..<rows * columns).map { start + Float($0) })
  }

  @Test func whatIsWrittenIsRead() throws {
    let scratch = try MatrixScratch(in: FileManager.default.temporaryDirectory.path)
    let matrices = [Self.matrix(3, 5, from: 1), Self.matrix(1, 1, from: 100), Self.matrix(7, 2, from: -50)]
    let places = try matrices.map { try scratch.write($0) }
    let sliced = Self.matrix(4, 6, from: 7)[columns: 2..<5]
    let slicePlace = try scratch.write(sliced)
    for (matrix, place) in zip(matrices + [sliced], places + [slicePlace]) {
      let read = try scratch.read(place)
      #expect((0..<matrix.rows).allSatisfy { read.row($0) == matrix.row($0) })
    }
    try scratch.write(Self.matrix(1, 1, from: 3), over: places[1])
    #expect(try scratch.read(places[1]).row(0) == [3])
    #expect(try scratch.read(places[2]).row(6) == matrices[2].row(6))
  }

  @Test func aFolderThatIsNoneIsNamed() {
    #expect { try MatrixScratch(in: "/absent/folder") } throws: { "\($0)".contains("/absent/folder") }
  }
}

struct RandomDirectionsTests {
  private static func decomposed(rows: Int, columns: Int) throws -> (DoubleMatrix, SingularValueDecomposition) {
    var generator = SplitMix64(seed: 3)
    let elements = (0..<rows * columns).map { _ in generator.nextNormal() }
    let matrix = DoubleMatrix(rows: rows, columns: columns, elements: elements)
    return (matrix, try SingularValueDecomposition(matrix))
  }

  /// Random directions are a basis: all of them give the matrix back, none nothing, and of n equal shares each drops one.
  @Test(arguments: [(40, 24), (24, 40)]) func areABasis(shape: (Int, Int)) throws {
    let (matrix, ordered) = try Self.decomposed(rows: shape.0, columns: shape.1)
    let control = try ordered.withRandomDirections(seed: 5)
    #expect(control.singularValues == ordered.singularValues)
    #expect((control.truncated(matrix, rank: 24) - matrix).frobeniusNorm < 1e-12 * matrix.frobeniusNorm)
    var energies: [Double] = []
    for rank in 0...24 {
      let norm = control.truncated(matrix, rank: rank).frobeniusNorm
      energies.append(norm * norm / (matrix.frobeniusNorm * matrix.frobeniusNorm))
      #expect(
        abs(
          (matrix - control.truncated(matrix, rank: rank)).frobeniusNorm - (1 - energies[rank]).squareRoot()
            * matrix.frobeniusNorm) < 1e-6 * matrix.frobeniusNorm)
    }
    #expect(energies == energies.sorted())
    // A random subspace of half the dimensions holds about half of the energy; the strongest half holds far more.
    #expect(abs(energies[12] - 0.5) < 0.15)
    #expect(ordered.truncated(matrix, rank: 12).frobeniusNorm > 1.1 * control.truncated(matrix, rank: 12).frobeniusNorm)
  }

  @Test func areTheSameForASeed() throws {
    let (matrix, ordered) = try Self.decomposed(rows: 12, columns: 8)
    func truncated(_ seed: UInt64) throws -> [Double] {
      try ordered.withRandomDirections(seed: seed).truncated(matrix, rank: 3).elements
    }
    #expect(try truncated(1) == truncated(1))
    #expect(try truncated(1) != truncated(2))
  }
}
