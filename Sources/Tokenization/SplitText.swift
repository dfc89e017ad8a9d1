/// A text cut into adjoining pieces, none of them empty.
struct SplitText: Equatable {
  var bytes: [UInt8]
  /// Where each piece ends; the next one starts there.
  var ends: [Int]

  func cuttingDigits(individually: Bool) -> SplitText {
    var cut = SplitText(bytes: bytes, ends: [])
    var start = 0
    for end in ends {
      var position = start
      var previousIsDigit = false
      while position < end {
        let (scalar, next) = bytes.scalar(at: position)
        let isDigit = scalar.isNumeric
        if position > start, isDigit != previousIsDigit || isDigit && individually { cut.ends.append(position) }
        previousIsDigit = isDigit
        position = next
      }
      cut.ends.append(end)
      start = end
    }
    return cut
  }

  /// Puts `prefix` before each piece that lacks it and for which `applies(start)` holds.
  func prefixing(with prefix: [UInt8], where applies: (Int) -> Bool) -> SplitText {
    var result = SplitText(bytes: [], ends: [])
    result.bytes.reserveCapacity(bytes.count + prefix.count)
    var start = 0
    for end in ends {
      if applies(start), !(bytes.contains(prefix, at: start) && start + prefix.count <= end) {
        result.bytes.append(contentsOf: prefix)
      }
      result.bytes.append(contentsOf: bytes[start..<end])
      result.ends.append(result.bytes.count)
      start = end
    }
    return result
  }
}
