/// Cuts a template into its text and its tags, as Jinja does with `trim_blocks` and `lstrip_blocks`, which are what
/// transformers sets: the line break after a `{% %}` and the white space before one that begins its line go away.
struct TemplateLexer {
  struct Token: Equatable {
    enum Kind: Equatable { case name, string, integer, number, symbol }
    let kind: Kind
    let text: String
    let line: Int
  }

  enum Part {
    case text(String)
    case output([Token], line: Int)
    case statement([Token], line: Int)
  }

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var parts: [Part] = []
  /// Whether what comes next begins a line.
  private var isLineStart = true
  /// Whether the tag before takes away the white space behind it.
  private var stripsNext = false

  static func parts(of template: String) throws(TemplateError) -> [Part] {
    var lexer = TemplateLexer(template)
    try lexer.run()
    return lexer.parts
  }

  private init(_ template: String) {
    var bytes: [UInt8] = []
    let source = Array(template.utf8)
    for (index, byte) in source.enumerated() {
      if byte == UInt8(ascii: "\r") {
        if index + 1 == source.count || source[index + 1] != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
      } else {
        bytes.append(byte)
      }
    }
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    self.bytes = bytes
  }

  private mutating func run() throws(TemplateError) {
    while position < bytes.count {
      let start = position
      while position < bytes.count, !(bytes[position] == UInt8(ascii: "{") && isTagMark(position + 1)) { position += 1 }
      var text = bytes[start..<position]
      if stripsNext { text = text.drop(while: Self.isSpace) }
      guard position < bytes.count else {
        append(text)
        return
      }
      let mark = bytes[position + 1]
      let sign = position + 2 < bytes.count ? bytes[position + 2] : 0
      if sign == UInt8(ascii: "-") {
        while let last = text.last, Self.isSpace(last) { text.removeLast() }
      } else if sign != UInt8(ascii: "+"), mark != UInt8(ascii: "{") {
        let lineStart = text.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? text.startIndex
        if lineStart > text.startIndex || isLineStart, text[lineStart...].allSatisfy(Self.isSpace) {
          text = text[..<lineStart]
        }
      }
      append(text)
      line += bytes[start..<position].count { $0 == UInt8(ascii: "\n") }
      position += sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") ? 3 : 2
      switch mark {
      case UInt8(ascii: "#"): try skipComment()
      case UInt8(ascii: "{"): parts.append(.output(try tokens(endingWith: "}}"), line: line))
      default:
        let tokens = try tokens(endingWith: "%}")
        if tokens.count == 1, tokens[0].text == "raw" {
          try readRaw()
        } else {
          parts.append(.statement(tokens, line: line))
        }
      }
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private func isTagMark(_ index: Int) -> Bool {
    index < bytes.count && [UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(bytes[index])
  }

  private mutating func append(_ text: ArraySlice<UInt8>) {
    if !text.isEmpty { parts.append(.text(String(decoding: text, as: UTF8.self))) }
  }

  private func starts(_ text: String, at index: Int) -> Bool {
    bytes[index...].starts(with: text.utf8)
  }

  private func failure(_ problem: String) -> TemplateError { TemplateError(line: line, problem: problem) }

  private mutating func skipComment() throws(TemplateError) {
    while position < bytes.count, !starts("#}", at: position) {
      if bytes[position] == UInt8(ascii: "\n") { line += 1 }
      position += 1
    }
    guard position < bytes.count else { throw failure("a comment does not end") }
    let stripsNext = bytes[position - 1] == UInt8(ascii: "-")
    position += 2
    endTag(strips: stripsNext, trims: bytes[position - 3] != UInt8(ascii: "+"))
  }

  /// What becomes of the white space behind a tag.
  private mutating func endTag(strips: Bool, trims: Bool) {
    stripsNext = strips
    isLineStart = false
    if strips {
      var end = position
      while end < bytes.count, Self.isSpace(bytes[end]) { end += 1 }
      isLineStart = end > position && bytes[end - 1] == UInt8(ascii: "\n")
    } else if trims, position < bytes.count, bytes[position] == UInt8(ascii: "\n") {
      position += 1
      line += 1
      isLineStart = true
    }
  }

  private mutating func readRaw() throws(TemplateError) {
    let start = position
    while position < bytes.count {
      if starts("{%", at: position) {
        var end = position + 2
        if end < bytes.count, [UInt8(ascii: "-"), UInt8(ascii: "+")].contains(bytes[end]) { end += 1 }
        while end < bytes.count, Self.isSpace(bytes[end]) { end += 1 }
        if end < bytes.count, starts("endraw", at: end) {
          var text = bytes[start..<position]
          if bytes[position + 2] == UInt8(ascii: "-") {
            while let last = text.last, Self.isSpace(last) { text.removeLast() }
          }
          append(stripsNext ? text.drop(while: Self.isSpace) : text)
          line += bytes[start..<position].count { $0 == UInt8(ascii: "\n") }
          position = end + 6
          guard try tokens(endingWith: "%}").isEmpty else { throw failure("'endraw' takes nothing") }
          return
        }
      }
      position += 1
    }
    throw failure("a 'raw' does not end")
  }

  // MARK: Inside tags

  private static let symbols = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",",
    ":", ".", "|",
  ]

  /// The tokens up to the end of the tag. A bracket that is open keeps `}}` from ending it.
  private mutating func tokens(endingWith end: String) throws(TemplateError) -> [Token] {
    var tokens: [Token] = []
    var open = 0
    while position < bytes.count {
      let byte = bytes[position]
      if Self.isSpace(byte) {
        if byte == UInt8(ascii: "\n") { line += 1 }
        position += 1
        continue
      }
      if open == 0 {
        let hasSign = byte == UInt8(ascii: "-") || (byte == UInt8(ascii: "+") && end == "%}")
        if starts(end, at: position) || (hasSign && starts(end, at: position + 1)) {
          position += hasSign ? 3 : 2
          endTag(strips: byte == UInt8(ascii: "-"), trims: end == "%}" && byte != UInt8(ascii: "+"))
          return tokens
        }
      }
      let token = try next()
      if token.kind == .symbol {
        if ["(", "[", "{"].contains(token.text) { open += 1 }
        if [")", "]", "}"].contains(token.text) { open -= 1 }
        guard open >= 0 else { throw failure("'\(token.text)' closes nothing") }
      }
      tokens.append(token)
    }
    throw failure("a tag does not end with '\(end)'")
  }

  private mutating func next() throws(TemplateError) -> Token {
    let byte = bytes[position]
    func isNamePart(_ byte: UInt8) -> Bool {
      byte == UInt8(ascii: "_") || isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        || byte >= 0x80
    }
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") { return try string(closedBy: byte) }
    let start = position
    if isDigit(byte) {
      var isFraction = false
      while position < bytes.count {
        let current = bytes[position]
        if current == UInt8(ascii: "."), !isFraction, position + 1 < bytes.count, isDigit(bytes[position + 1]) {
          isFraction = true
        } else if !isDigit(current), current != UInt8(ascii: "_") {
          break
        }
        position += 1
      }
      let text = String(decoding: bytes[start..<position].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
      return Token(kind: isFraction ? .number : .integer, text: text, line: line)
    }
    if isNamePart(byte) {
      while position < bytes.count, isNamePart(bytes[position]) { position += 1 }
      return Token(kind: .name, text: String(decoding: bytes[start..<position], as: UTF8.self), line: line)
    }
    guard let symbol = Self.symbols.first(where: { starts($0, at: position) }) else {
      throw failure("a character that begins nothing, with the code \(byte)")
    }
    position += symbol.utf8.count
    return Token(kind: .symbol, text: symbol, line: line)
  }

  /// A text between quotes, with Python's escapes.
  private mutating func string(closedBy mark: UInt8) throws(TemplateError) -> Token {
    let first = line
    position += 1
    var result: [UInt8] = []
    while position < bytes.count, bytes[position] != mark {
      if bytes[position] == UInt8(ascii: "\n") { line += 1 }
      if bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count {
        position += 1
        try escape(&result)
      } else {
        result.append(bytes[position])
        position += 1
      }
    }
    guard position < bytes.count else { throw failure("a text between quotes does not end") }
    position += 1
    return Token(kind: .string, text: String(decoding: result, as: UTF8.self), line: first)
  }

  private static let escapes: [UInt8: UInt8] = [
    UInt8(ascii: "n"): 0x0A, UInt8(ascii: "t"): 0x09, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "a"): 0x07,
    UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C, UInt8(ascii: "v"): 0x0B, UInt8(ascii: "0"): 0x00,
    UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "'"): UInt8(ascii: "'"),
    UInt8(ascii: "\""): UInt8(ascii: "\""),
  ]

  private mutating func escape(_ result: inout [UInt8]) throws(TemplateError) {
    let code = bytes[position]
    position += 1
    if let byte = Self.escapes[code] {
      result.append(byte)
      return
    }
    let digits: [UInt8: Int] = [UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8]
    if let count = digits[code] {
      let text = String(decoding: bytes[position..<min(position + count, bytes.count)], as: UTF8.self)
      guard text.utf8.count == count, let scalar = UInt32(text, radix: 16).flatMap(Unicode.Scalar.init) else {
        throw failure("'\\\(Character(Unicode.Scalar(code)))' needs the \(count) digits of a character")
      }
      position += count
      result += Array(String(scalar).utf8)
    } else if code == UInt8(ascii: "\n") {
      line += 1
    } else {
      result += [UInt8(ascii: "\\"), code]
    }
  }
}
