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

  @Test func sizesAndIDs() throws {
    let bytes = try Fixture.byteLevel.tokenizer
    #expect(bytes.vocabularySize == 600)
    #expect(bytes.id(of: "<|endoftext|>") == 0)
    #expect(bytes.id(of: "no such token") == nil)
    let added = try Fixture.addedTokens.tokenizer
    #expect(added.id(of: "Sum").map(Int.init) == added.vocabularySize - 1)
  }
}
