import Checkpoints
import Testing
import Tokenization

/// Damaged files end in an error or in a tokenizer that works: nothing traps, and nothing takes long.
struct HostileFileTests {
  /// The same numbers every time.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ state >> 29
    }
  }

  /// A few bytes changed, removed, doubled or cut off.
  private func damaged(_ bytes: [UInt8], _ random: inout Generator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where bytes.count > 8 {
      let place = Int.random(in: 0..<bytes.count - 8, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: bytes.removeSubrange(place..<place + Int.random(in: 1...8, using: &random))
      case 3: bytes.insert(contentsOf: bytes[place..<place + 8], at: place)
      case 4: bytes[place] = [0x22, 0x2C, 0x7B, 0x5D, 0x30, 0x00, 0xFF, 0x7F].randomElement(using: &random) ?? 0
      default: if Bool.random(using: &random) { bytes.removeSubrange(place...) }
      }
    }
    return bytes
  }

  private let text = "The <s> <|endoftext|>café e\u{301} 한국 1234 'll ſ  \r\n\t\u{0} 👩‍🚀 <left>ough   ▁"

  /// Uses a tokenizer that came of a damaged file; the errors it may throw are fine.
  private func exercise(_ make: () throws -> Tokenizer) {
    guard let tokenizer = try? make(), let ids = try? tokenizer.encode(text) else { return }
    _ = tokenizer.decode(ids)
    _ = tokenizer.decode(ids + [-1, .max], skipSpecialTokens: true)
  }

  @Test(.timeLimit(.minutes(1)), arguments: Fixture.allCases)
  func tokenizerJSON(_ fixture: Fixture) throws {
    let original = try fixtureBytes("\(fixture.rawValue).json")
    // The parts around the vocabulary are small: damage them as often as all the rest.
    let vocabulary = try #require(original.indices.first { original[$0...].starts(with: #""vocab""#.utf8) })
    var random = Generator(state: UInt64(original.count))
    for round in 0..<150 {
      let bytes =
        round % 2 == 0
        ? damaged(original, &random)
        : damaged(Array(original[..<vocabulary]), &random) + original[vocabulary...]
      exercise { try Tokenizer(parsing: try JSON(parsing: bytes)) }
    }
  }

  @Test(.timeLimit(.minutes(1))) func sentencePiece() throws {
    let original = try fixtureBytes("pieces.model")
    var random = Generator(state: 3)
    for _ in 0..<600 {
      let bytes = damaged(original, &random)
      exercise { try Tokenizer(sentencePiece: bytes) }
    }
    for count in 0..<300 { exercise { try Tokenizer(sentencePiece: Array(original.suffix(count))) } }
  }

  @Test(.timeLimit(.minutes(1))) func gguf() throws {
    let pieces = try #require(try JSON(parsing: try fixtureBytes("pieces.expected.json"))["pieces"]?.array)
    let tokens = pieces.compactMap { $0.array?[0].string }
    let scores = pieces.compactMap { ($0.array?[1].number).map(Float.init) }
    let types = pieces.compactMap { $0.array?[2].integer }
    var random = Generator(state: 4)
    for _ in 0..<300 {
      var vocabulary = GGUFVocabulary(
        model: Bool.random(using: &random) ? "llama" : "gpt2", preTokenizer: "llama-bpe", tokens: tokens,
        scores: scores, tokenTypes: types, merges: ["a b", "t h"], beginningToken: 1, endToken: 2)
      for _ in 0..<20 {
        let place = Int.random(in: 0..<tokens.count, using: &random)
        let other = Int.random(in: 0..<tokens.count, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: vocabulary.tokens[place] = tokens[other]
        case 1: vocabulary.tokens[place] = ""
        case 2: vocabulary.tokens[place] += tokens[other]
        case 3: vocabulary.scores?[place] = [0, -0, 1e38, -1, .infinity].randomElement(using: &random) ?? 0
        case 4: vocabulary.tokenTypes?[place] = Int.random(in: 1...6, using: &random)
        case 5: vocabulary.merges?.append("\(tokens[place]) \(tokens[other])")
        default: vocabulary.beginningToken = Int.random(in: -1...701, using: &random)
        }
      }
      exercise { try Tokenizer(vocabulary) }
    }
  }

  /// Small files that would make much of a text, or of themselves.
  @Test func inflation() throws {
    let doubling = #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#
    let sequence = [String](repeating: doubling, count: 30).joined(separator: ",")
    #expect(throws: TokenizerError.self) {
      try tinyTokenizer(normalizer: #"{"type": "Sequence", "normalizers": [\#(sequence)]}"#)
    }
    #expect(throws: TokenizerError.self) {
      try tinyTokenizer(decoder: #"{"type": "Sequence", "decoders": [\#(sequence)]}"#)
    }
    let long = String(repeating: "a", count: 2000)
    #expect(throws: TokenizerError.self) {
      try tinyTokenizer(normalizer: #"{"type": "Prepend", "prepend": "\#(long)"}"#)
    }
    #expect(throws: TokenizerError.self) {
      try tinyTokenizer(addedTokens: #"[{"id": 6, "content": "\#(long)", "special": true, "normalized": false}]"#)
    }
    let digits = [String](repeating: #"{"type": "Digits", "individual_digits": true}"#, count: 40).joined(
      separator: ",")
    #expect(throws: TokenizerError.self) {
      try tinyTokenizer(preTokenizer: #"{"type": "Sequence", "pretokenizers": [\#(digits)]}"#)
    }
    let many = [String](repeating: #"{"SpecialToken": {"id": "x"}}"#, count: 300).joined(separator: ",")
    #expect(throws: TokenizerError.self) {
      try tinyTokenizer(
        postProcessor: #"""
          {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, \#(many)],
           "special_tokens": {"x": {"id": "x", "ids": [1], "tokens": ["x"]}}}
          """#)
    }
  }
}
