import Checkpoints
import Testing
import Tokenization

/// Ids and texts as Hugging Face tokenizers gives them for the hard cases of make_fixtures.py.
struct AgreementTests {
  @Test(arguments: Fixture.allCases)
  func encodes(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer
    for expectation in try fixture.expectations {
      #expect(try tokenizer.encode(expectation.text) == expectation.ids, "\(expectation.text.debugDescription)")
      #expect(try tokenizer.encode(expectation.text, addSpecialTokens: false) == expectation.idsWithoutSpecial)
    }
  }

  @Test(arguments: Fixture.allCases)
  func decodes(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer
    for expectation in try fixture.expectations {
      // Bytes are compared: strings would be equal up to canonical equivalence.
      let decoded = tokenizer.decode(expectation.ids)
      #expect(Array(decoded.utf8) == Array(expectation.decoded.utf8))
      let withoutSpecial = tokenizer.decode(expectation.ids, skipSpecialTokens: true)
      #expect(Array(withoutSpecial.utf8) == Array(expectation.decodedWithoutSpecial.utf8))
    }
  }

  @Test(arguments: Fixture.allCases)
  func encodesHardCases(_ fixture: Fixture) throws {
    let expected = try IDFingerprint(try JSON(parsing: try fixtureBytes("hard-cases.expected.json"))[fixture.rawValue])
    #expect(IDFingerprint(try fixture.tokenizer.encode(try hardCases())) == expected)
  }

  /// Byte-level vocabularies lose nothing.
  @Test(arguments: [Fixture.byteLevel, .llama3])
  func roundTrip(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer
    let text = try hardCases()
    let ids = try tokenizer.encode(text, addSpecialTokens: false)
    #expect(Array(tokenizer.decode(ids).utf8) == Array(text.utf8))
  }

  /// The code points that normalization knows, among marks: normalized as Hugging Face tokenizers does.
  @Test(arguments: ["NFC", "NFD", "NFKC", "NFKD"])
  func normalizes(_ form: String) throws {
    let expected = try IDFingerprint(try JSON(parsing: try fixtureBytes("normalization.expected.json"))[form])
    let blocks: [Range<UInt32>] = [
      0x80..<0x3100, 0xA600..<0xAC20, 0xD780..<0xD7B0, 0xF900..<0x10000, 0x1D100..<0x1F300, 0x2F800..<0x2FA20,
    ]
    let characters = blocks.joined().compactMap(Unicode.Scalar.init).map { "\($0)\u{323}\u{301}\u{334}" }
    let json = String(decoding: try fixtureBytes("byte-level.json"), as: UTF8.self)
    let tokenizer = try Tokenizer(
      parsing: try JSON(
        parsing: Array(
          json.replacing(#""normalizer":null"#, with: #""normalizer":{"type":"\#(form)"}"#).utf8)))
    #expect(IDFingerprint(try tokenizer.encode(characters.joined(separator: " "))) == expected)
  }

  @Test func sizesAndIDs() throws {
    let bytes = try Fixture.byteLevel.tokenizer
    #expect(bytes.vocabularySize == 600)
    #expect(bytes.id(of: "<|endoftext|>") == 0)
    #expect(bytes.id(of: "no such token") == nil)
    let added = try Fixture.addedTokens.tokenizer
    #expect(added.id(of: "Sum").map(Int.init) == added.vocabularySize - 1)
  }
}
