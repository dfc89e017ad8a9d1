import Checkpoints
import Testing
import Tokenization

/// Files that are wrong, or that ask for what is not computed, end in an error that names the place.
struct RefusalTests {
  private func expectRefusal(
    _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation, make: () throws -> Tokenizer
  ) {
    do {
      _ = try make()
      Issue.record("accepted", sourceLocation: sourceLocation)
    } catch let error as TokenizerError {
      for part in parts {
        #expect(error.description.contains(part), "\(error)", sourceLocation: sourceLocation)
      }
      #expect(!error.description.contains("\n"), sourceLocation: sourceLocation)
    } catch {
      Issue.record("\(error)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: ["StripAccents", "Lowercase", "Precompiled", "two\\nlines"])
  func normalizer(_ type: String) {
    expectRefusal("normalizer") { try tinyTokenizer(normalizer: #"{"type": "\#(type)"}"#) }
  }

  @Test func replaceByRegularExpression() {
    expectRefusal("normalizer.pattern", "Regex") {
      try tinyTokenizer(normalizer: #"{"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}"#)
    }
    expectRefusal("normalizer.pattern", "empty") {
      try tinyTokenizer(normalizer: #"{"type": "Replace", "pattern": {"String": ""}, "content": "a"}"#)
    }
  }

  @Test func preTokenizers() {
    expectRefusal("pre_tokenizer", "'pattern' is missing") { try tinyTokenizer(preTokenizer: #"{"type": "Split"}"#) }
    expectRefusal("pre_tokenizer.pretokenizers[0]", "'Whitespace'") {
      try tinyTokenizer(preTokenizer: #"{"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}]}"#)
    }
    expectRefusal("pre_tokenizer", "'behaviour'") {
      try tinyTokenizer(preTokenizer: #"{"type": "Digits", "individual_digits": true, "behaviour": 1}"#)
    }
    expectRefusal("pretokenizers[1]", "behind") {
      try tinyTokenizer(
        preTokenizer: #"""
          {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": false},
           {"type": "Digits", "individual_digits": true}]}
          """#)
    }
    expectRefusal("prepend_scheme") {
      try tinyTokenizer(
        preTokenizer: #"""
          {"type": "Metaspace", "replacement": "_", "add_prefix_space": false, "prepend_scheme": "always"}
          """#)
    }
    expectRefusal("one character") {
      try tinyTokenizer(preTokenizer: #"{"type": "Metaspace", "replacement": "__"}"#)
    }
  }

  @Test func splits() throws {
    func split(_ members: String) throws -> Tokenizer {
      try tinyTokenizer(preTokenizer: #"{"type": "Split", \#(members)}"#)
    }
    expectRefusal("pre_tokenizer.pattern.Regex", "(?<=ab)c", "look behind at more than one") {
      try split(#""pattern": {"Regex": "(?<=ab)c"}, "behavior": "Isolated", "invert": false"#)
    }
    expectRefusal("the behavior 'Isolate'") { try split(#""pattern": {"Regex": "a"}, "behavior": "Isolate""#) }
    expectRefusal("pre_tokenizer.pattern", "'Other'") {
      try split(#""pattern": {"Other": "a"}, "behavior": "Isolated""#)
    }
    expectRefusal("pre_tokenizer.pattern", "'Regex' is missing") {
      try split(#""pattern": {}, "behavior": "Isolated""#)
    }
    // Where the text starts would not be known.
    expectRefusal("'first'", "removes") {
      try tinyTokenizer(
        preTokenizer: #"""
          {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"String": "a"}, "behavior": "Removed"},
           {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]}
          """#)
    }
  }

  @Test func decodersAndPostProcessors() {
    expectRefusal("decoder", "'WordPiece'") { try tinyTokenizer(decoder: #"{"type": "WordPiece"}"#) }
    expectRefusal("post_processor", "'Other'") { try tinyTokenizer(postProcessor: #"{"type": "Other"}"#) }
    expectRefusal("special_tokens") {
      try tinyTokenizer(
        postProcessor: #"""
          {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "special_tokens": {}}
          """#)
    }
    expectRefusal("post_processor", "exactly once") {
      try tinyTokenizer(
        postProcessor: #"{"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}"#)
    }
  }

  @Test(arguments: [
    #""dropout": 0.1,"#, #""continuing_subword_prefix": "@@","#, #""end_of_word_suffix": "</w>","#, #""other": 1,"#,
    #""fuse_unk": "yes","#,
  ])
  func modelOption(_ option: String) {
    expectRefusal("model") { try tinyTokenizer(modelOptions: option) }
  }

  @Test func noDropoutIsAccepted() throws {
    let options = #""dropout": 0.0, "continuing_subword_prefix": "", "end_of_word_suffix": null,"#
    #expect(try tinyTokenizer(modelOptions: options).encode("abc") == [5])
  }

  @Test(arguments: [
    #"{"a": 0, "b": 0}"#, #"{"a": -1}"#, #"{"a": 4294967296}"#, #"{"a": 2097152}"#, #"{"a": 0.5}"#, #"{"a": "0"}"#,
    #"{"a": null}"#, #"["a"]"#, "null",
  ])
  func vocabulary(_ vocabulary: String) {
    expectRefusal("model") { try tinyTokenizer(vocabulary: vocabulary, merges: "[]") }
  }

  @Test(arguments: [
    #"["a"]"#, #"["a b c"]"#, #"[" a"]"#, #"[["a"]]"#, #"[["a", 1]]"#, "[1]", #"["a x"]"#, #"["c a"]"#, "{}", #"[""]"#,
  ])
  func merges(_ merges: String) {
    expectRefusal("model.merges") { try tinyTokenizer(merges: merges) }
  }

  @Test(arguments: [
    // Not the id that follows the vocabulary; that of another token; another than the vocabulary gives; twice.
    #"[{"id": 7, "content": "<s>", "special": true, "normalized": false}]"#,
    #"[{"id": 1, "content": "<s>", "special": true, "normalized": false}]"#,
    #"[{"id": 6, "content": "a", "special": true, "normalized": false}]"#,
    #"""
    [{"id": 6, "content": "<s>", "special": true, "normalized": false},
     {"id": 6, "content": "<s>", "special": true, "normalized": false}]
    """#,
    #"[{"id": 6, "content": "<s>", "special": true, "normalized": false, "priority": 1}]"#,
    #"[{"id": 6, "content": "<s>", "special": 1, "normalized": false}]"#,
    #"[{"content": "<s>", "special": true, "normalized": false}]"#,
    "{}", "[[]]",
  ])
  func addedTokens(_ tokens: String) {
    expectRefusal("added_tokens") { try tinyTokenizer(addedTokens: tokens) }
  }

  @Test func otherShapes() throws {
    expectRefusal("'extra'") { try tinyTokenizer(more: #", "extra": 1"#) }
    for text in ["null", "[]", "{}", "3", #"{"model": []}"#, #"{"model": {"type": "Unigram", "vocab": []}}"#] {
      expectRefusal("tokenizer") { try Tokenizer(parsing: try JSON(parsing: Array(text.utf8))) }
    }
  }

  @Test func emptyTokensAreHarmless() throws {
    let tokenizer = try tinyTokenizer(vocabulary: #"{"": 0, "a": 1}"#, merges: #"[["", "a"], ["", ""]]"#)
    #expect(try tokenizer.encode("aa") == [1, 1])
    #expect(try tinyTokenizer(vocabulary: "{}", merges: "[]").encode("abc") == [])
  }
}
