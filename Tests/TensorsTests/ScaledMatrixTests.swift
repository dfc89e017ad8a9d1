import Foundation
import Tensors
import Testing

/// Matrices of few bits with scales apart.
@Suite struct ScaledMatrixTests {
  /// By the format's words: a sign, four bits of exponent with bias 7, three of mantissa.
  private func e4m3(_ byte: UInt8) -> Double {
    let (exponent, mantissa) = (Int(byte >> 3) & 15, Double(byte & 7))
    let magnitude = exponent == 0 ? mantissa / 8 * pow(2, -6) : (1 + mantissa / 8) * pow(2, Double(exponent - 7))
    return byte & 128 == 0 ? magnitude : -magnitude
  }

  @Test(arguments: [(8, 16), (5, 7), (1, 1), (128, 128), (20, 256)]) func float8NumbersHaveTheirBlocksScale(
    _ block: (rows: Int, columns: Int)
  ) throws {
    let (rows, columns) = (20, 256)
    // Every byte but those of NaN.
    let bytes = (0..<rows * columns).map { place -> UInt8 in
      let byte = UInt8(truncatingIfNeeded: place &* 7 &+ place / 256)
      return byte & 127 == 127 ? 0 : byte
    }
    let grid = ((rows + block.rows - 1) / block.rows, (columns + block.columns - 1) / block.columns)
    let scales = StoredMatrix(rounding: .gaussian(rows: grid.0, columns: grid.1, seed: 3), to: .float32)
    let factors = try scales.decoded()
    let matrix = StoredMatrix(e4m3: OwnedBytes(bytes), rows: rows, columns: columns, scales: scales, block: block)
    let numbers = try matrix.decoded()
    for row in 0..<rows {
      for column in 0..<columns {
        let product = Float(e4m3(bytes[row * columns + column])) * factors[row / block.rows, column / block.columns]
        let rounded = try StoredMatrix(
          rounding: DoubleMatrix(rows: 1, columns: 1, elements: [Double(product)]), to: .bfloat16
        ).decoded()
        #expect(numbers[row, column] == rounded[0, 0])
      }
    }
    // Some of the rows alone.
    let part = StoredMatrix(
      e4m3: OwnedBytes(Array(bytes[7 * columns..<11 * columns])), rows: 4, columns: columns, scales: scales,
      block: block, firstRow: 7)
    #expect(DoubleMatrix(try part.decoded()).elements == DoubleMatrix(numbers[rows: 7..<11].copy()).elements)
  }

  @Test func float8HasNaN() {
    let one = StoredMatrix(rounding: DoubleMatrix(rows: 1, columns: 1, elements: [1]), to: .float32)
    for (byte, isNumber) in [(0x7F, false), (0xFF, false), (0x7E, true), (0xFE, true)] as [(UInt8, Bool)] {
      let matrix = StoredMatrix(e4m3: OwnedBytes([byte]), rows: 1, columns: 1, scales: one, block: (128, 128))
      #expect(((try? matrix.decoded()) != nil) == isNumber)
    }
  }

  @Test func mxfp4HasSixteenNumbersAndPowersOfTwo() throws {
    let magnitudes: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    let values = magnitudes + magnitudes.map { -$0 }
    let scales: [UInt8] = [127, 0, 120, 252, 1, 130]
    // (3 rows, 64 columns): byte i of a block holds the numbers 2 i and 2 i + 1.
    let blocks = (0..<6 * 16).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
    let matrix = StoredMatrix(mxfp4: OwnedBytes(blocks), scales: OwnedBytes(scales), rows: 3, columns: 64)
    let numbers = try matrix.decoded()
    for place in 0..<3 * 64 {
      let byte = blocks[place / 2]
      let value = values[Int(place % 2 == 0 ? byte & 15 : byte >> 4)]
      #expect(numbers[place / 64, place % 64] == value * Float(pow(2, Double(scales[place / 32]) - 127)))
    }
    let damaged = StoredMatrix(
      mxfp4: OwnedBytes(Array(blocks[..<16])), scales: OwnedBytes([255]), rows: 1, columns: 32)
    #expect(throws: StoredMatrix.NotFinite.self) { try damaged.decoded() }
  }
}
