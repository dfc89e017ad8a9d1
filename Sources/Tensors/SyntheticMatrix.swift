internal import CKernels

/// A bfloat16 matrix of independent noise plus a few strong directions, which is made part by part: what a trained
/// matrix looks like to a rank rule, at the cost of writing it.
///
/// Noise of standard deviation s ends at the singular value s (√rows + √columns); the directions stand between 1.5 and
/// 3 times above it, so that the noise edge finds how many there are. The same seed gives the same bytes on every
/// machine.
package struct SyntheticMatrix: Sendable {
  package let rows: Int
  package let columns: Int
  private let deviation: Double
  private let seed: UInt64
  /// (rows, rank) and (rank, columns); their product has the singular values.
  private let left: [Float]
  private let right: [Float]
  private let rank: Int

  /// - Parameter rank: The number of strong directions.
  package init(rows: Int, columns: Int, rank: Int, deviation: Double, seed: UInt64) {
    self.rows = rows
    self.columns = columns
    self.rank = rank
    self.deviation = deviation
    var generator = SplitMix64(seed: seed)
    self.seed = generator.next()
    let edge = deviation * (Double(rows).squareRoot() + Double(columns).squareRoot())
    var left = [Float](repeating: 0, count: rows * rank)
    var right = [Float](repeating: 0, count: rank * columns)
    for direction in 0..<rank {
      let value = edge * (1.5 + 1.5 * Double(rank - direction) / Double(rank))
      // Independent random vectors of many numbers are nearly orthogonal, and their length is nearly this.
      let leftScale = value / Double(rows).squareRoot()
      let rightScale = 1 / Double(columns).squareRoot()
      for row in 0..<rows { left[row * rank + direction] = Float(leftScale * generator.nextNormal()) }
      for column in 0..<columns { right[direction * columns + column] = Float(rightScale * generator.nextNormal()) }
    }
    self.left = left
    self.right = right
  }

  /// Some rows, made on all workers.
  package func stored(rows range: Range<Int>) -> StoredMatrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows outside the matrix")
    let bytes = [UInt8](unsafeUninitializedCapacity: 2 * range.count * columns) { buffer, count in
      buffer.withMemoryRebound(to: UInt16.self) { numbers in
        nonisolated(unsafe) let target = numbers.baseAddress
        let blocks = Parallelism.blocks(of: range.count, size: max(1, (1 << 18) / max(1, columns)))
        Parallelism.forEach(blocks.count) { index in
          guard let target else { return }
          for row in blocks[index] {
            let place = range.lowerBound + row
            left.withUnsafeBufferPointer { left in
              laser_synthetic_row(
                seed &+ UInt64(place * columns), Float(deviation), left.baseAddress.map { $0 + place * rank }, right,
                rank, columns, target + row * columns)
            }
          }
        }
      }
      count = 2 * range.count * columns
    }
    return StoredMatrix(type: .bfloat16, rows: range.count, columns: columns, region: OwnedBytes(bytes))
  }
}
