import Testing
import Tokenization

/// Token by token, a text comes out as it does whole.
struct StreamingDecoderTests {
  /// The pieces of a text after a prompt, and what is left at its end.
  private func pieces(_ tokenizer: Tokenizer, _ ids: [Int32], prompt: [Int32]) -> [String] {
    var decoder = StreamingDecoder(tokenizer, after: prompt)
    return ids.map { decoder.append($0) } + [decoder.finish()]
  }

  @Test(arguments: Fixture.allCases) func theWholeText(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer
    for line in try hardCases().split(separator: "\n").prefix(150) {
      let ids = try tokenizer.encode(String(line), addSpecialTokens: false)
      for cut in [0, 1, ids.count / 2] where cut <= ids.count {
        // A prompt ends with a character.
        let before = tokenizer.decode(ids[..<cut], skipSpecialTokens: true)
        guard before.unicodeScalars.last != "\u{FFFD}" else { continue }
        let whole = Array(tokenizer.decode(ids, skipSpecialTokens: true).utf8)
        guard cut == 0 || !before.isEmpty, whole.starts(with: before.utf8) else { continue }
        let added = pieces(tokenizer, Array(ids[cut...]), prompt: Array(ids[..<cut])).joined()
        #expect(Array((before + added).utf8) == whole, "\(line.debugDescription) at \(cut)")
      }
    }
  }

  /// Marks, vowel signs and joined emoji change the character before them; the text goes on all the same.
  @Test(arguments: ["e\u{301}galite\u{301}", "नमस्ते दुनिया", "👩‍👩‍👧 and more", "a\u{300}b\u{300}c"])
  func marksDoNotSilenceIt(_ text: String) throws {
    let tokenizer = try Fixture.byteLevel.tokenizer
    let ids = try tokenizer.encode(text, addSpecialTokens: false)
    let pieces = pieces(tokenizer, ids, prompt: [])
    #expect(Array(pieces.joined().utf8) == Array(text.utf8))
    // As soon as a character's bytes are there, not at the end.
    #expect(pieces.last == "")
  }

  @Test func whatNeverBecomesACharacter() throws {
    let tokenizer = try Fixture.byteLevel.tokenizer
    let e = try #require(tokenizer.encode("é", addSpecialTokens: false).first)
    let first = try #require(tokenizer.id(of: "Ã"), "the first byte of é by itself")
    #expect(first == e || tokenizer.decode([first]) == "\u{FFFD}")
    let pieces = pieces(tokenizer, Array(repeating: first, count: 40), prompt: [])
    #expect(pieces.joined().unicodeScalars.allSatisfy { $0 == "\u{FFFD}" })
    #expect(pieces.dropLast().contains { !$0.isEmpty }, "it does not wait for ever")
  }

  /// The prompt is no part of what follows it.
  @Test func aPromptThatTheFirstTokenChanges() throws {
    let tokenizer = try Fixture.prepend.tokenizer
    let prompt = try tokenizer.encode("a b", addSpecialTokens: false)
    var decoder = StreamingDecoder(tokenizer, after: prompt)
    let next = try tokenizer.encode("c", addSpecialTokens: false)
    #expect(next.map { decoder.append($0) }.joined() == " c")
  }
}
