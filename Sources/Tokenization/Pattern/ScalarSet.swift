/// A set of Unicode scalars, as the ranges that it is made of: sorted, and none touches the next.
struct ScalarSet: Hashable, Sendable {
  private(set) var ranges: [ClosedRange<UInt32>] = []

  private static let last: UInt32 = 0x10FFFF

  /// The set of no scalar.
  init() {}

  /// - Parameter ranges: In any order; they may overlap.
  init(_ ranges: [ClosedRange<UInt32>]) {
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let before = self.ranges.last, range.lowerBound <= before.upperBound + 1 {
        self.ranges[self.ranges.count - 1] = before.lowerBound...max(before.upperBound, range.upperBound)
      } else {
        self.ranges.append(range)
      }
    }
  }

  init(_ scalar: Unicode.Scalar) { ranges = [scalar.value...scalar.value] }

  var isEmpty: Bool { ranges.isEmpty }

  var isASCII: Bool { ranges.last.map { $0.upperBound < 0x80 } ?? true }

  func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } }

  /// The scalars that are not in it.
  var inverted: ScalarSet {
    var result = ScalarSet()
    var next: UInt32 = 0
    for range in ranges {
      if next < range.lowerBound { result.ranges.append(next...range.lowerBound - 1) }
      next = range.upperBound + 1
    }
    if next <= Self.last { result.ranges.append(next...Self.last) }
    return result
  }

  func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

  func intersection(_ other: ScalarSet) -> ScalarSet { inverted.union(other.inverted).inverted }

  func isDisjoint(with other: ScalarSet) -> Bool {
    var (own, others) = (ranges[...], other.ranges[...])
    while let range = own.first, let next = others.first {
      if range.overlaps(next) { return false }
      if range.upperBound < next.upperBound { own.removeFirst() } else { others.removeFirst() }
    }
    return true
  }

  func subtracting(_ other: ScalarSet) -> ScalarSet { intersection(other.inverted) }

  /// For each byte whether a scalar of the set can begin with it in UTF-8.
  var leadBytes: [Bool] {
    var result = [Bool](repeating: false, count: 256)
    for range in ranges {
      for (scalars, shift, mark) in Self.encodings where scalars.overlaps(range) {
        let part = range.clamped(to: scalars)
        for lead in (part.lowerBound >> shift)...(part.upperBound >> shift) { result[Int(lead | mark)] = true }
      }
    }
    return result
  }

  /// The scalars of one to four bytes in UTF-8: what is shifted out of the first byte, and what marks it.
  private static let encodings: [(scalars: ClosedRange<UInt32>, shift: UInt32, mark: UInt32)] = [
    (0...0x7F, 0, 0), (0x80...0x7FF, 6, 0xC0), (0x800...0xFFFF, 12, 0xE0), (0x10000...0x10FFFF, 18, 0xF0),
  ]
}
