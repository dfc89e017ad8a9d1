/// A JSON value (RFC 8259) as checkpoints use it: headers, configurations, indices and tokenizers.
///
/// Members keep their order and their exact bytes. Swift compares strings by canonical equivalence, so a dictionary
/// would merge two vocabulary entries that differ only in Unicode composition: so the reader is our own. Nesting
/// deeper than `maximumDepth`, repeated keys and anything outside the grammar are errors with a byte offset.
package enum JSON: Sendable {
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  package struct Member: Sendable {
    package let key: String
    package let value: JSON

    package init(key: String, value: JSON) {
      self.key = key
      self.value = value
    }
  }

  /// What is wrong with a text that is not JSON, and where.
  package struct SyntaxError: Error, CustomStringConvertible {
    package let problem: String
    package let offset: Int
    package var description: String { "not valid JSON at byte \(offset): \(problem)" }
  }

  package static let maximumDepth = 64

  /// - Parameter allowsNonFinite: Whether `NaN`, `Infinity` and `-Infinity` are numbers, as they are to Python, which
  ///   writes them into the files that only it reads.
  package init(parsing bytes: UnsafeRawBufferPointer, allowsNonFinite: Bool = false) throws(SyntaxError) {
    var parser = JSONParser(bytes: bytes, allowsNonFinite: allowsNonFinite)
    self = try parser.document()
  }

  package init(parsing bytes: [UInt8]) throws(SyntaxError) {
    self = try bytes.withUnsafeBufferPointer { bytes throws(SyntaxError) in
      try JSON(parsing: UnsafeRawBufferPointer(bytes))
    }
  }
}

// MARK: - Reading values

extension JSON {
  /// The member of an object; nil when it is absent, or this is no object. Keys are compared byte by byte.
  package subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  package var isNull: Bool { if case .null = self { true } else { false } }

  package var string: String? { if case .string(let value) = self { value } else { nil } }

  package var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }

  package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

  package var members: [Member]? { if case .object(let value) = self { value } else { nil } }

  /// A whole number, also when written as `1.0`.
  package var integer: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  package var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}

// MARK: - Parsing

private struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  let allowsNonFinite: Bool
  var position = 0

  init(bytes: UnsafeRawBufferPointer, allowsNonFinite: Bool) {
    self.bytes = bytes
    self.allowsNonFinite = allowsNonFinite
  }

  func failure(_ problem: String, at offset: Int? = nil) -> JSON.SyntaxError {
    JSON.SyntaxError(problem: problem, offset: offset ?? position)
  }

  mutating func document() throws(JSON.SyntaxError) -> JSON {
    let value = try self.value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw failure("something follows the value") }
    return value
  }

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  mutating func value(depth: Int) throws(JSON.SyntaxError) -> JSON {
    guard depth <= JSON.maximumDepth else { throw failure("nested deeper than \(JSON.maximumDepth) levels") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .boolean(true))
    case UInt8(ascii: "f"): return try literal("false", .boolean(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "N") where allowsNonFinite: return try literal("NaN", .number(.nan))
    case UInt8(ascii: "I") where allowsNonFinite: return try literal("Infinity", .number(.infinity))
    case .some: return try number()
    case nil: throw failure("the text ends where a value should be")
    }
  }

  mutating func literal(_ word: StaticString, _ value: JSON) throws(JSON.SyntaxError) -> JSON {
    let expected = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard bytes.count - position >= expected.count, bytes[position..<position + expected.count].elementsEqual(expected)
    else { throw failure("unknown word") }
    position += expected.count
    return value
  }

  mutating func array(depth: Int) throws(JSON.SyntaxError) -> JSON {
    position += 1
    var elements: [JSON] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(elements) }
      guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or ']'") }
    }
  }

  mutating func object(depth: Int) throws(JSON.SyntaxError) -> JSON {
    let start = position
    position += 1
    var members: [JSON.Member] = []
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
      let key = try string()
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw failure("expected ':' after a key") }
      members.append(JSON.Member(key: key, value: try value(depth: depth + 1)))
      skipSpace()
      if take(UInt8(ascii: "}")) { break }
      guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or '}'") }
    }
    try refuseRepeatedKeys(members, at: start)
    return .object(members)
  }

  /// Two members of one name would let two readers see two different files.
  func refuseRepeatedKeys(_ members: [JSON.Member], at offset: Int) throws(JSON.SyntaxError) {
    var seen = Set<[UInt8]>(minimumCapacity: members.count)
    for member in members where !seen.insert(Array(member.key.utf8)).inserted {
      throw failure("the key \"\(member.key)\" occurs twice in the object", at: offset)
    }
  }

  mutating func string() throws(JSON.SyntaxError) -> String {
    position += 1
    let start = position
    // The common case: no escape, so the bytes are the string.
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
      guard byte >= 0x20 else { throw failure("control character in a string") }
      position += 1
    }
    if take(UInt8(ascii: "\"")) { return try text(of: bytes[start..<position - 1], at: start) }
    var unescaped = Array(bytes[start..<position])
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        return try text(of: unescaped, at: start)
      case UInt8(ascii: "\\"): try escape(into: &unescaped)
      case 0x00..<0x20: throw failure("control character in a string", at: position - 1)
      default: unescaped.append(byte)
      }
    }
    throw failure("a string has no closing quote", at: start - 1)
  }

  func text(of slice: some Sequence<UInt8>, at offset: Int) throws(JSON.SyntaxError) -> String {
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw failure("a string is not UTF-8", at: offset)
    }
    return text
  }

  mutating func escape(into bytes: inout [UInt8]) throws(JSON.SyntaxError) {
    guard let byte = next else { throw failure("the text ends within an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      let start = position - 2
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair", at: start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair", at: start) }
      bytes.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
    default: throw failure("unknown escape", at: position - 2)
    }
  }

  mutating func hexadecimal() throws(JSON.SyntaxError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
  mutating func number() throws(JSON.SyntaxError) -> JSON {
    let start = position
    var isInteger = true
    let isNegative = take(UInt8(ascii: "-"))
    if isNegative, allowsNonFinite, next == UInt8(ascii: "I") { return try literal("Infinity", .number(-.infinity)) }
    if !take(UInt8(ascii: "0")) { try digits() }
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text) else { throw failure("not a number", at: start) }
    return .number(value)
  }

  mutating func digits() throws(JSON.SyntaxError) {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw failure("not a value") }
  }
}
