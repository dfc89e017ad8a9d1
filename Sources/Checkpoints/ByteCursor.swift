/// A place in some bytes, moving forward. Every step is checked: nil means that the bytes end before it.
struct ByteCursor {
  let bytes: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var remaining: Int { bytes.count - position }

  mutating func take(_ count: UInt64) -> UnsafeRawBufferPointer? {
    guard count <= remaining else { return nil }
    let start = position
    position += Int(count)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
  }

  /// `count` items of some bytes each.
  mutating func take(_ count: UInt64, of size: Int) -> UnsafeRawBufferPointer? {
    let (product, overflows) = count.multipliedReportingOverflow(by: UInt64(size))
    return overflows ? nil : take(product)
  }

  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(as type: Value.Type = Value.self) -> Value? {
    take(UInt64(MemoryLayout<Value>.size)).map { Value(littleEndian: $0.loadUnaligned(as: Value.self)) }
  }

  /// A length in eight bytes, and as many bytes.
  mutating func text() -> UnsafeRawBufferPointer? {
    guard let length = integer(as: UInt64.self) else { return nil }
    return take(length)
  }
}
