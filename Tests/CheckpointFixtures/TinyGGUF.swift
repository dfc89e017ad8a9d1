/// A GGUF file as a test writes it, true or not; made without the code under test.
package struct TinyGGUF: Sendable {
  package struct Member: Sendable {
    package var key: String
    package var type: UInt32
    package var value: [UInt8]

    package init(_ key: String, type: UInt32, _ value: [UInt8]) {
      self.key = key
      self.type = type
      self.value = value
    }
  }

  package struct Tensor: Sendable {
    package var name: String
    /// As in the file: the innermost first.
    package var dimensions: [UInt64]
    package var type: UInt32
    package var offset: UInt64

    package init(_ name: String, _ dimensions: [UInt64], type: UInt32, offset: UInt64) {
      self.name = name
      self.dimensions = dimensions
      self.type = type
      self.offset = offset
    }
  }

  package var magic = "GGUF"
  package var version: UInt32 = 3
  package var tensorCount: UInt64?
  package var memberCount: UInt64?
  package var members: [Member]
  package var tensors: [Tensor]
  package var alignment = 32
  package var data: [UInt8]

  package init(members: [Member] = [], tensors: [Tensor] = [], data: [UInt8] = []) {
    self.members = members
    self.tensors = tensors
    self.data = data
  }

  /// Three tensors: "one" (2, 32) in F32, "two" (2, 32) in Q8_0, "three" (2, 2, 4) in F16, and a little metadata.
  package static var valid: TinyGGUF {
    var data = [UInt8](repeating: 0, count: 256)
    for row in 0..<2 { data += [UInt8(row), 0x3C] + (0..<32).map { UInt8(7 * $0) } }
    data += [UInt8](repeating: 0, count: 28) + [UInt8](repeating: 0x3C, count: 32)
    return TinyGGUF(
      members: [
        Member("general.architecture", type: 8, text("llama")), Member("number", type: 4, bytes(UInt32(7))),
        Member("words", type: 9, bytes(UInt32(8)) + bytes(UInt64(2)) + text("a") + text("bc")),
        Member(
          "nested", type: 9, bytes(UInt32(9)) + bytes(UInt64(1)) + bytes(UInt32(0)) + bytes(UInt64(3)) + [1, 2, 3]),
      ],
      tensors: [
        Tensor("one", [32, 2], type: 0, offset: 0), Tensor("two", [32, 2], type: 8, offset: 256),
        Tensor("three", [4, 2, 2], type: 1, offset: 352),
      ],
      data: data)
  }

  package var bytes: [UInt8] {
    var result = Array(magic.utf8) + Self.bytes(version)
    result += Self.bytes(tensorCount ?? UInt64(tensors.count)) + Self.bytes(memberCount ?? UInt64(members.count))
    for member in members { result += Self.text(member.key) + Self.bytes(member.type) + member.value }
    for tensor in tensors {
      result += Self.text(tensor.name) + Self.bytes(UInt32(tensor.dimensions.count))
      result += tensor.dimensions.flatMap { Self.bytes($0) } + Self.bytes(tensor.type) + Self.bytes(tensor.offset)
    }
    while result.count % alignment != 0 { result.append(0) }
    return result + data
  }

  package static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  package static func text(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }
}
