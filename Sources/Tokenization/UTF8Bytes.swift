/// Reading scalars from bytes that are known to be UTF-8, because they come from a `String`.
extension Array where Element == UInt8 {
  /// The scalar that starts at `index`, and where the next one starts.
  @inline(__always)
  func scalar(at index: Int) -> (scalar: Unicode.Scalar, end: Int) {
    let first = UInt32(self[index])
    if first < 0x80 { return (Unicode.Scalar(self[index]), index + 1) }
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    var value = first & (0x7F >> UInt32(length))
    for offset in 1..<length { value = value << 6 | UInt32(self[index + offset] & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", index + length)
  }

  /// The scalar that ends before `index`, and where it starts.
  func scalar(before index: Int) -> (scalar: Unicode.Scalar, start: Int) {
    var start = index - 1
    while start > 0, self[start] & 0xC0 == 0x80 { start -= 1 }
    return (scalar(at: start).scalar, start)
  }

  func contains(_ part: [UInt8], at index: Int) -> Bool {
    guard count - index >= part.count else { return false }
    for offset in part.indices where self[index + offset] != part[offset] { return false }
    return true
  }

  /// The array with every `pattern`, read from the left, replaced. The pattern must not be empty.
  func replacing(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
    guard let first = pattern.first else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(count + count / 2)
    var index = 0
    while index < count {
      if self[index] == first, contains(pattern, at: index) {
        result.append(contentsOf: content)
        index += pattern.count
      } else {
        result.append(self[index])
        index += 1
      }
    }
    return result
  }
}
