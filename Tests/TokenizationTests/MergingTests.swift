import Testing
import Tokenization

/// The order of merges, and what happens to characters without a token.
struct MergingTests {
  @Test func lowestRankFirst() throws {
    #expect(try tinyTokenizer().encode("abc") == [5])
    #expect(try tinyTokenizer(merges: #"["b c", "a b", "ab c"]"#).encode("abc") == [0, 4])
  }

  @Test func leftmostFirstAmongEqualRanks() throws {
    #expect(try tinyTokenizer(vocabulary: #"{"a": 0, "aa": 1}"#, merges: #"["a a"]"#).encode("aaa") == [1, 0])
  }

  @Test func mergesAsPairs() throws {
    #expect(try tinyTokenizer(merges: #"[["a", "b"], ["ab", "c"]]"#).encode("abc") == [5])
  }

  @Test func laterOfTwoEqualMergesHolds() throws {
    #expect(try tinyTokenizer(merges: #"["a b", "b c", "a b"]"#).encode("abc") == [0, 4])
  }

  @Test func ignoreMergesTakesWholeWords() throws {
    let tokenizer = try tinyTokenizer(merges: "[]", modelOptions: #""ignore_merges": true,"#)
    #expect(try tokenizer.encode("abc") == [5])
    #expect(try tokenizer.encode("abcc") == [0, 1, 2, 2])
  }

  @Test func unknownCharacters() throws {
    let vocabulary = #"{"a": 0, "b": 1, "ab": 2, "?": 3, "<0x58>": 4}"#
    func encode(_ text: String, _ options: String) throws -> [Int32] {
      try tinyTokenizer(vocabulary: vocabulary, merges: #"["a b"]"#, modelOptions: options).encode(text)
    }
    // Without an unknown token the character vanishes, and its neighbours meet.
    #expect(try encode("aXb", "") == [2])
    #expect(try encode("aXXb", #""unk_token": "?","#) == [0, 3, 3, 1])
    #expect(try encode("aXXb", #""unk_token": "?", "fuse_unk": true,"#) == [0, 3, 1])
    #expect(try encode("aYXYb", #""unk_token": "?", "fuse_unk": true, "byte_fallback": true,"#) == [0, 4, 3, 1])
    #expect(throws: TokenizerError.self) { try encode("aXb", #""unk_token": "none","#) }
    #expect(try encode("ab", #""unk_token": "none","#) == [2])
  }

  /// "é" composed and decomposed are equal Swift strings, but two tokens.
  @Test func tokensThatDifferInCompositionOnly() throws {
    let tokenizer = try tinyTokenizer(
      vocabulary: #"{"\u00e9": 0, "e": 1, "\u0301": 2, "e\u0301": 3}"#, merges: #"["e \u0301"]"#)
    #expect(try tokenizer.encode("\u{E9}e\u{301}") == [0, 3])
    #expect(tokenizer.id(of: "\u{E9}") == 0)
    #expect(tokenizer.id(of: "e\u{301}") == 3)
  }

  /// Words cut apart and cached must give what merging the whole text gives: a merge across ▁ forbids the cut, and
  /// being of the highest rank and never applicable, it changes nothing else.
  @Test func cuttingAtWordStartsChangesNothing() throws {
    let vocabulary =
      ##"{"▁": 0, "a": 1, "b": 2, "▁a": 3, "ab": 4, "▁▁": 5, "ba": 6, "▁ab": 7, "#": 8, "#▁": 9, "?": 10}"##
    let merges = #""a b", "▁ a", "▁ ▁", "b a", "▁ ab", "▁a b""#
    let options = #""unk_token": "?","#
    let cutting = try tinyTokenizer(vocabulary: vocabulary, merges: "[\(merges)]", modelOptions: options)
    let whole = try tinyTokenizer(
      vocabulary: vocabulary, merges: "[\(merges), \"# ▁\"]", modelOptions: options)
    var state: UInt64 = 1
    for _ in 0..<300 {
      var text = ""
      for _ in 0..<40 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += ["a", "b", "▁", "é"][Int(state >> 62)]
      }
      #expect(try cutting.encode(text) == whole.encode(text))
    }
    #expect(try cutting.encode("#▁") == [8, 0])
    #expect(try whole.encode("#▁") == [9])
  }

  /// One word of 400 000 characters: quadratic merging would not come back.
  @Test(.timeLimit(.minutes(1))) func longWordsTakeLittleTime() throws {
    let ids = try tinyTokenizer().encode(String(repeating: "abca", count: 100_000))
    #expect(ids.count == 200_000)
  }
}
