/// Sets of scalars as bit maps, to be asked once for every character of a text.
struct ScalarMaps: Sendable {
  private(set) var members: [ScalarSet] = []
  /// Of each set.
  private(set) var leadBytes: [[Bool]] = []
  private var indices: [ScalarSet: Int] = [:]
  /// Two words for each set: its ASCII.
  private(set) var ascii: [UInt64] = []
  /// For each set and each 256 scalars the page, a place in `bits` where their four words are.
  private(set) var pages: [UInt32] = []
  private(set) var bits: [UInt64] = [0, 0, 0, 0, ~0, ~0, ~0, ~0]
  private var known: [[UInt64]: UInt32] = [:]

  static let pageCount = 0x110000 >> 8

  /// The place of the set; nil where there are `limit` others. Equal sets share one.
  mutating func insert(_ set: ScalarSet, atMost limit: Int) -> Int? {
    if let index = indices[set] { return index }
    guard members.count < limit else { return nil }
    var words = [UInt64](repeating: 0, count: 4 * Self.pageCount)
    for range in set.ranges {
      let (first, last) = (Int(range.lowerBound >> 6), Int(range.upperBound >> 6))
      for word in first...last {
        let from = word == first ? UInt64(range.lowerBound & 63) : 0
        let through = word == last ? UInt64(range.upperBound & 63) : 63
        words[word] |= (~0 << from) & (~0 >> (63 - through))
      }
    }
    ascii += words[0..<2]
    for page in 0..<Self.pageCount {
      let content = words[4 * page..<4 * page + 4]
      // Most pages are all in the set, or all outside.
      let uniform = content.allSatisfy { $0 == 0 } ? 0 : content.allSatisfy { $0 == ~0 } ? 1 : Int?.none
      pages.append(uniform.map { UInt32($0) } ?? place(of: Array(content)))
    }
    leadBytes.append(set.leadBytes)
    indices[set] = members.count
    members.append(set)
    return members.count - 1
  }

  private mutating func place(of content: [UInt64]) -> UInt32 {
    if let place = known[content] { return place }
    let place = UInt32(bits.count / 4)
    known[content] = place
    bits += content
    return place
  }
}
