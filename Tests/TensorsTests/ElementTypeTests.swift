import Tensors
import Testing

/// Stored numbers against Swift's own types, which are correctly rounded.
struct ElementTypeTests {
  /// Every pattern of 16 bits.
  private static let patterns = (0...UInt16.max).map { $0 }

  private func stored(_ halves: [UInt16], as type: ElementType) -> StoredMatrix {
    let bytes = halves.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    return StoredMatrix(type: type, rows: halves.count, columns: 1, region: OwnedBytes(bytes))
  }

  private func halves(_ matrix: StoredMatrix) -> [UInt16] {
    matrix.region.withBytes { bytes in
      (0..<bytes.count / 2).map { UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 }
    }
  }

  private func value(_ pattern: UInt16, as type: ElementType) -> Float {
    type == .bfloat16 ? Float(bitPattern: UInt32(pattern) << 16) : Float(Float16(bitPattern: pattern))
  }

  private func column(_ values: [Double]) -> DoubleMatrix {
    DoubleMatrix(rows: values.count, columns: 1, elements: values)
  }

  @Test(arguments: [ElementType.bfloat16, .float16])
  func everyFinitePatternDecodesAndRoundsBack(_ type: ElementType) throws {
    let finite = Self.patterns.filter { value($0, as: type).isFinite }
    #expect(finite.count == (type == .bfloat16 ? 65536 - 2 * 128 : 65536 - 2 * 1024))
    let decoded = try stored(finite, as: type).decoded()
    // Bit patterns, so that −0 is not 0.
    #expect((0..<finite.count).allSatisfy { decoded.row($0)[0].bitPattern == value(finite[$0], as: type).bitPattern })
    #expect(halves(StoredMatrix(rounding: DoubleMatrix(decoded), to: type)) == finite)
  }

  @Test(arguments: [ElementType.bfloat16, .float16])
  func everyOtherPatternIsRefused(_ type: ElementType) {
    for pattern in Self.patterns where !value(pattern, as: type).isFinite {
      // Among finite numbers, at a place that is no multiple of a vector's width.
      var halves = [UInt16](repeating: 0, count: 37)
      halves[33] = pattern
      #expect(throws: StoredMatrix.NotFinite.self) { try stored(halves, as: type).decoded() }
      #expect(throws: StoredMatrix.NotFinite.self) { try stored(halves, as: type).decoded(rowsAt: [1, 33]) }
    }
  }

  /// Doubles of every magnitude that matters, and each exact middle between neighbours.
  private func samples(_ type: ElementType) -> [Double] {
    var generator = SystemIndependentGenerator(state: 7)
    let range = type == .float16 ? -27.0...17.0 : -140.0...127.0
    var result = (0..<200_000).map { _ in
      let exponent = Int(Double.random(in: range, using: &generator).rounded(.down))
      return Double.random(in: -2...2, using: &generator) * Double(sign: .plus, exponent: exponent, significand: 1)
    }
    for pattern in Self.patterns.dropLast() {
      let (low, high) = (value(pattern, as: type), value(pattern + 1, as: type))
      if low.isFinite, high.isFinite { result.append((Double(low) + Double(high)) / 2) }
    }
    return result
  }

  @Test func roundingToFloat16() {
    let values = samples(.float16)
    let rounded = halves(StoredMatrix(rounding: column(values), to: .float16))
    for (value, pattern) in zip(values, rounded) where Float16(Float(value)).bitPattern != pattern {
      Issue.record("\(value) became \(Float16(bitPattern: pattern)), not \(Float16(Float(value)))")
    }
  }

  @Test func roundingToBFloat16() {
    // Swift has no BFloat16: of the two neighbours the nearer, of two as near the even one.
    func nearest(_ value: Float) -> UInt16 {
      let low = UInt16(value.bitPattern >> 16)
      let lowValue = Double(Float(bitPattern: UInt32(low) << 16))
      let highValue = Double(Float(bitPattern: UInt32(low + 1) << 16))
      let (below, above) = (abs(Double(value) - lowValue), abs(highValue - Double(value)))
      return below < above || (below == above && low % 2 == 0) ? low : low + 1
    }
    let values = samples(.bfloat16)
    let rounded = halves(StoredMatrix(rounding: column(values), to: .bfloat16))
    for (value, pattern) in zip(values, rounded) where nearest(Float(value)) != pattern {
      Issue.record("\(value) became pattern \(pattern), not \(nearest(Float(value)))")
    }
  }

  @Test func float32KeepsItsBits() throws {
    let values = samples(.bfloat16)
    let matrix = StoredMatrix(rounding: column(values), to: .float32)
    let decoded = try matrix.decoded()
    #expect(values.indices.allSatisfy { decoded.row($0)[0].bitPattern == Float(values[$0]).bitPattern })
    for bad in [Float.nan, .infinity, -.infinity] {
      let bytes =
        [Float](repeating: 1, count: 36).withUnsafeBytes { Array($0) } + withUnsafeBytes(of: bad) { Array($0) }
      let damaged = StoredMatrix(type: .float32, rows: 37, columns: 1, region: OwnedBytes(bytes))
      #expect(throws: StoredMatrix.NotFinite.self) { try damaged.decoded() }
    }
  }

  /// A tensor may start at any byte of a mapped file.
  @Test(arguments: ElementType.allCases.filter { !$0.isReadOnly }) func unalignedBytesAreRead(_ type: ElementType)
    throws
  {
    let values = DoubleMatrix(rows: 2, columns: 256, elements: (0..<512).map { Double($0 % 50) - 25 })
    let aligned = StoredMatrix(rounding: values, to: type)
    let bytes = aligned.region.withBytes { Array($0) }
    let shifted = StoredMatrix(type: type, rows: 2, columns: 256, region: ShiftedBytes(bytes: [0] + bytes))
    let decoded = DoubleMatrix(try shifted.decoded()).elements
    #expect(try DoubleMatrix(aligned.decoded()).elements == decoded)
    // A step of the coarsest type, two bits for what 50 whole numbers are.
    #expect(zip(decoded, values.elements).allSatisfy { abs($0 - $1) <= (type.blockSize == 1 ? 0 : 9) })
  }
}

/// All of its bytes but the first.
private struct ShiftedBytes: ByteRegion {
  let bytes: [UInt8]
  var byteCount: Int { bytes.count - 1 }

  func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try bytes.withUnsafeBufferPointer { bytes throws(E) in
      try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes).dropFirst()))
    }
  }
}

/// Knuth's 64-bit linear congruential generator with its high bits folded in: the same numbers everywhere.
private struct SystemIndependentGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}
