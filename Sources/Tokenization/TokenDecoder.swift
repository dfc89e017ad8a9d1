internal import Checkpoints

/// From tokens back to text: `Replace`, `ByteFallback`, `Fuse`, `Strip`, `ByteLevel`, `Metaspace` and sequences of
/// these.
struct TokenDecoder: Sendable {
  private enum Step: Sendable {
    case replace([UInt8], with: [UInt8])
    case byteFallback
    case fuse
    case strip([UInt8], start: Int, stop: Int)
    case byteLevel
    case metaspace([UInt8], dropsFirst: Bool)
  }

  private var steps: [Step] = []
  private var growth = 1.0
  /// Without a decoder, tokens are shown with spaces between.
  private let separator: [UInt8]

  /// What decodes byte-level vocabularies.
  static let byteLevel = TokenDecoder(steps: [.byteLevel])

  /// What decodes SentencePiece's vocabularies; `dropsFirstSpace` where encoding puts one before the text.
  static func sentencePiece(dropsFirstSpace: Bool) -> TokenDecoder {
    let space = [UInt8(ascii: " ")]
    return TokenDecoder(
      steps: [.replace(WordStart.bytes, with: space), .byteFallback, .fuse]
        + (dropsFirstSpace ? [.strip(space, start: 1, stop: 0)] : []))
  }

  private init(steps: [Step]) {
    self.steps = steps
    separator = []
  }

  init(parsing section: FileSection?) throws(TokenizerError) {
    separator = section == nil ? [UInt8(ascii: " ")] : []
    if let section { try add(section) }
  }

  private mutating func add(_ section: FileSection) throws(TokenizerError) {
    guard steps.count < FileSection.maximumStepCount else { throw section.unsupported("so long a sequence") }
    switch try section.type() {
    case "Sequence":
      try section.allowOnly("type", "decoders")
      for part in try section.required("decoders").elements() { try add(part) }
    case "Replace":
      let (pattern, content) = try section.replacement(growth: &growth)
      steps.append(.replace(pattern, with: content))
    case "ByteFallback":
      try section.allowOnly("type")
      steps.append(.byteFallback)
    case "Fuse":
      try section.allowOnly("type")
      steps.append(.fuse)
    case "Strip":
      try section.allowOnly("type", "content", "start", "stop")
      steps.append(
        .strip(
          Array(String(try section.required("content").scalar()).utf8),
          start: try Self.count(try section.required("start")),
          stop: try Self.count(try section.required("stop"))
        ))
    case "ByteLevel":
      try section.allowOnly("type", "add_prefix_space", "trim_offsets", "use_regex")
      steps.append(.byteLevel)
    case "Metaspace":
      let metaspace = try Metaspace(parsing: section)
      steps.append(.metaspace(metaspace.replacement, dropsFirst: metaspace.prepends != .never))
    case let type:
      throw section.unsupported("the decoder '\(type)'")
    }
  }

  private static func count(_ section: FileSection) throws(TokenizerError) -> Int {
    guard let count = section.json.integer, count >= 0 else { throw section.malformed("should be a count") }
    return count
  }

  func decode(_ tokens: [[UInt8]]) -> String {
    var tokens = tokens
    for step in steps { tokens = Self.apply(step, to: tokens) }
    return String(decoding: Array(tokens.joined(separator: separator)), as: UTF8.self)
  }

  private static func apply(_ step: Step, to tokens: [[UInt8]]) -> [[UInt8]] {
    switch step {
    case .replace(let pattern, let content): tokens.map { $0.replacing(pattern, with: content) }
    case .byteFallback: replacingByteTokens(tokens)
    case .fuse: [Array(tokens.joined())]
    case .strip(let character, let start, let stop): tokens.map { strip($0, of: character, start: start, stop: stop) }
    case .byteLevel: [repaired(tokens.flatMap { ByteLevelAlphabet.bytes(spelledBy: $0) ?? $0 })]
    case .metaspace(let replacement, let dropsFirst):
      tokens.enumerated().map { index, token in
        token.replacing(replacement, with: index == 0 && dropsFirst ? [] : [UInt8(ascii: " ")])
      }
    }
  }

  /// The bytes with U+FFFD in place of whatever is not UTF-8.
  private static func repaired(_ bytes: [UInt8]) -> [UInt8] { Array(String(decoding: bytes, as: UTF8.self).utf8) }

  /// A run of byte tokens becomes the text that its bytes are, or one U+FFFD for each token if they are none.
  private static func replacingByteTokens(_ tokens: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var run: [UInt8] = []
    func endRun() {
      if let text = String(validating: run, as: UTF8.self) {
        result.append(Array(text.utf8))
      } else {
        result.append(contentsOf: run.map { _ in Array("\u{FFFD}".utf8) })
      }
      run.removeAll()
    }
    for token in tokens {
      if let byte = byte(namedBy: token) {
        run.append(byte)
      } else {
        if !run.isEmpty { endRun() }
        result.append(token)
      }
    }
    if !run.isEmpty { endRun() }
    return result
  }

  /// The byte that `<0x0A>` names.
  private static func byte(namedBy token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }

  /// Drops up to `start` of `character` from the front and up to `stop` from the back.
  private static func strip(_ token: [UInt8], of character: [UInt8], start: Int, stop: Int) -> [UInt8] {
    var rest = token[...]
    for _ in 0..<min(start, token.count) {
      guard rest.starts(with: character) else { break }
      rest = rest.dropFirst(character.count)
    }
    for _ in 0..<min(stop, token.count) {
      guard rest.suffix(character.count).elementsEqual(character) else { break }
      rest = rest.dropLast(character.count)
    }
    return Array(rest)
  }
}
