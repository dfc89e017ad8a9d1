import Testing
import Tokenization

/// Where added tokens are found. The expectations were observed with Hugging Face tokenizers 0.23.3.
struct AddedTokenTests {
  private func tokenizer(_ tokens: String..., normalizer: String = "null") throws -> Tokenizer {
    let vocabulary = #"{"a": 0, "b": 1, " ": 2, "<": 3, "s": 4, ">": 5, "-": 6, "▁": 7, "_": 8}"#
    return try tinyTokenizer(
      vocabulary: vocabulary, merges: "[]", addedTokens: "[\(tokens.joined(separator: ","))]", normalizer: normalizer)
  }

  private func token(_ id: Int, _ content: String, _ options: String..., normalized: Bool = false) -> String {
    let set = options.map { #", "\#($0)": true"# }.joined()
    return #"{"id": \#(id), "content": "\#(content)", "special": false, "normalized": \#(normalized)\#(set)}"#
  }

  @Test func longestAtTheLeftmostPlace() throws {
    let tokenizer = try tokenizer(token(9, "<s>"), token(10, "<s>a"), token(11, "s>ab"))
    #expect(try tokenizer.encode("<s>ab<s>") == [10, 1, 9])
  }

  @Test func stripping() throws {
    let left = try tokenizer(token(9, "<s>", "lstrip"))
    #expect(try left.encode("a \n<s> b") == [0, 9, 2, 1])
    let both = try tokenizer(token(9, "<s>", "lstrip", "rstrip"))
    #expect(try both.encode("a <s> b  <s>\n<s>a") == [0, 9, 1, 9, 9, 0])
    // What was stripped off is still searched for the next token.
    let overlapping = try tokenizer(token(9, "<s>", "rstrip"), token(10, " a"))
    #expect(try overlapping.encode("<s> a a") == [9, 10, 10])
  }

  @Test(arguments: ["a<s>", "<s>a", "_<s>", "é<s>", "\u{301}<s>", "\u{200D}<s>", "٣<s>"])
  func notInsideAWord(_ text: String) throws {
    #expect(try !tokenizer(token(9, "<s>", "single_word")).encode(text).contains(9))
  }

  @Test(arguments: ["<s>", "a <s> b", "-<s>-", "<s><s>"])
  func asAWord(_ text: String) throws {
    #expect(try tokenizer(token(9, "<s>", "single_word")).encode(text).contains(9))
  }

  @Test func normalizedTokensMatchNormalizedText() throws {
    let normalizer = #"""
      {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
       {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
      """#
    let tokenizer = try tokenizer(token(9, "<s>", normalized: true), normalizer: normalizer)
    #expect(try tokenizer.encode("<s>") == [9])
    #expect(try tokenizer.encode("a<s>b") == [7, 0, 3, 4, 5, 1])
    #expect(try tokenizer.encode("a <s>b <s> a") == [7, 0, 9, 1, 9, 7, 0])
    #expect(tokenizer.decode([0, 9, 1]) == "a ▁<s> b")
  }

  @Test func everyPieceIsPrependedTo() throws {
    let tokenizer = try tokenizer(token(9, "<s>"), normalizer: #"{"type": "Prepend", "prepend": "▁"}"#)
    #expect(try tokenizer.encode("<s><s>a<s>b") == [9, 9, 7, 0, 9, 7, 1])
  }

  @Test func specialTokensCanBeLeftOut() throws {
    let special = #"{"id": 9, "content": "<s>", "special": true, "normalized": false}"#
    let tokenizer = try tokenizer(special, token(10, "<t>"))
    #expect(tokenizer.decode([0, 9, 10, 99, -1, 1]) == "a <s> <t> b")
    #expect(tokenizer.decode([0, 9, 10, 99, -1, 1], skipSpecialTokens: true) == "a <t> b")
  }
}
