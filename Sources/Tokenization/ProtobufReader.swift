/// The fields of a Protocol Buffers message, one after another (protobuf.dev, "Encoding").
///
/// Nothing is copied, and every length is checked against the message. Groups, which nobody writes any more,
/// are refused.
struct ProtobufReader {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(Range<Int>)
    case fixed32(UInt32)
  }

  struct Field {
    let number: UInt64
    let value: Value
    /// Where the field stands in the file.
    let offset: Int

    func malformed(_ problem: String) -> TokenizerError { .malformed(problem, at: "at byte \(offset)") }

    func range() throws(TokenizerError) -> Range<Int> {
      guard case .bytes(let range) = value else { throw malformed("field \(number) should have a length") }
      return range
    }

    func integer() throws(TokenizerError) -> Int {
      // Negative numbers are written in two's complement.
      guard case .varint(let bits) = value else { throw malformed("field \(number) should be an integer") }
      return Int(truncatingIfNeeded: bits)
    }

    func boolean() throws(TokenizerError) -> Bool { try integer() != 0 }

    func float() throws(TokenizerError) -> Float {
      guard case .fixed32(let bits) = value else { throw malformed("field \(number) should be a float") }
      return Float(bitPattern: bits)
    }
  }

  let bytes: [UInt8]
  private var position: Int
  private let end: Int

  init(_ bytes: [UInt8]) {
    self.init(bytes, 0..<bytes.count)
  }

  /// A message within another one.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  private func malformed(_ problem: String) -> TokenizerError { .malformed(problem, at: "at byte \(position)") }

  mutating func next() throws(TokenizerError) -> Field? {
    guard position < end else { return nil }
    let offset = position
    let tag = try varint()
    let value: Value
    switch tag & 7 {
    case 0: value = .varint(try varint())
    case 1: value = .fixed64(try fixed(count: 8))
    case 2:
      let length = try varint()
      guard length <= UInt64(end - position) else { throw malformed("a field is longer than the message") }
      value = .bytes(position..<position + Int(length))
      position += Int(length)
    case 5: value = .fixed32(UInt32(truncatingIfNeeded: try fixed(count: 4)))
    case let type: throw malformed("the wire type \(type) is unknown: this is no Protocol Buffers message")
    }
    return Field(number: tag >> 3, value: value, offset: offset)
  }

  private mutating func varint() throws(TokenizerError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < end else { throw malformed("the message ends within a number") }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
    }
    throw malformed("a number of more than ten bytes")
  }

  private mutating func fixed(count: Int) throws(TokenizerError) -> UInt64 {
    guard end - position >= count else { throw malformed("the message ends within a number") }
    let value = bytes[position..<position + count].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    position += count
    return value
  }
}
