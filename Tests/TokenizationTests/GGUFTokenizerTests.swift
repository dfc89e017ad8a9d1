import Checkpoints
import Foundation
import Testing
import Tokenization

/// A folder's tokenizer as a GGUF file has it.
struct GGUFTokenizerTests {
  private func withFolder(_ files: [String: [UInt8]], _ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, bytes) in files { try Data(bytes).write(to: folder.appending(path: name)) }
    try body(folder.path)
  }

  private func settings(_ text: String) throws -> [String: [UInt8]] {
    ["tokenizer.json": try fixtureBytes("byte-level.json"), "tokenizer_config.json": Array(text.utf8)]
  }

  /// Tokens that only the files beside tokenizer.json name, and the ids that gguf-py's SpecialVocab finds: a fine-tune to
  /// chats whose config.json still has the ids of its base.
  @Test func tokensAndTemplatesOfAChat() throws {
    let text = #"""
      {"eos_token": {"content": "<|im_end|>"}, "pad_token": "<|endoftext|>", "bos_token": "<|endoftext|>",
       "additional_special_tokens": ["<|im_start|>"],
       "chat_template": [{"name": "default", "template": "D"}, {"name": "tool use", "template": "T"}]}
      """#
    try withFolder(try settings(text)) { folder in
      let configuration = Configuration(
        file: "config.json", json: try JSON(parsing: Array(#"{"bos_token_id": 5, "eos_token_id": [0, 7]}"#.utf8)))
      let vocabulary = try GGUFVocabulary(folder: folder, configuration: configuration, rows: 604)
      #expect(Array(vocabulary.tokens[600...]) == ["<|im_end|>", "<|im_start|>", "[PAD602]", "[PAD603]"])
      #expect(vocabulary.tokenTypes?.suffix(4) == [3, 3, 5, 5])
      let metadata = Dictionary(uniqueKeysWithValues: vocabulary.metadata.map { ($0.key, $0.value) })
      func id(_ key: String) -> Int? { metadata["tokenizer.ggml.\(key)_token_id"]?.integer }
      #expect(id("eos") == 600 && id("bos") == 0 && id("padding") == 0 && id("eot") == nil)
      #expect(metadata["tokenizer.chat_template"]?.string == "D")
      #expect(metadata["tokenizer.chat_templates"]?.strings == ["tool_use"])
      #expect(metadata["tokenizer.chat_template.tool_use"]?.string == "T")
      let chat = "<|im_start|>user\nof it<|im_end|>"
      let ids = try Tokenizer(path: folder).encode(chat)
      #expect(try Tokenizer(vocabulary).encode(chat) == ids)
    }
    // Without a name, config.json counts; a template beside the settings, where they have none.
    try withFolder(try settings("{}").merging(["chat_template.jinja": Array("J".utf8)]) { $1 }) { folder in
      let configuration = Configuration(
        file: "config.json", json: try JSON(parsing: Array(#"{"eos_token_id": [7, 0], "pad_token_id": 3}"#.utf8)))
      let vocabulary = try GGUFVocabulary(folder: folder, configuration: configuration, rows: 600)
      let metadata = Dictionary(uniqueKeysWithValues: vocabulary.metadata.map { ($0.key, $0.value) })
      #expect(vocabulary.endToken == 7 && metadata["tokenizer.ggml.padding_token_id"]?.integer == 3)
      #expect(metadata["tokenizer.chat_template"]?.string == "J")
    }
  }

  // MARK: Pieces in GGUF

  private func vocabulary(_ change: (String) -> String, of name: String = "metaspace") throws -> GGUFVocabulary {
    let text = change(String(decoding: try fixtureBytes("\(name).json"), as: UTF8.self))
    var result: GGUFVocabulary?
    try withFolder(["tokenizer.json": Array(text.utf8)]) { folder in
      let rows = try Tokenizer(path: folder).vocabularySize
      result = try GGUFVocabulary(
        folder: folder, configuration: Configuration(file: "config.json", json: .object([])), rows: rows)
    }
    return try #require(result)
  }

  private func json(_ change: @escaping (inout [String: Any]) -> Void) -> (String) -> String {
    { text in
      guard var object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else { return text }
      change(&object)
      return (try? JSONSerialization.data(withJSONObject: object)).map { String(decoding: $0, as: UTF8.self) } ?? text
    }
  }

  private static func metaspace(_ scheme: String, split: Bool = false) -> [String: Any] {
    ["type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split]
  }

  /// What llama.cpp does otherwise, whoever makes the file, is told.
  @Test(arguments: [("first", 2), ("always", 2), ("never", 0)]) func spacesThatAreOthers(_ scheme: String, _ count: Int)
    throws
  {
    let vocabulary = try vocabulary(
      json { object in
        object["pre_tokenizer"] = Self.metaspace(scheme)
        object["normalizer"] = nil
      })
    #expect(vocabulary.notes.count == count, "\(vocabulary.notes)")
    if count > 0 { #expect(vocabulary.notes[0].contains("begins with a space")) }
    if count > 1 { #expect(vocabulary.notes[1].contains("behind a special token")) }
  }

  /// llama.cpp would merge across the cut.
  @Test func cutsBeforePiecesAreRefused() throws {
    func sequence(_ first: [String: Any], _ scheme: String) -> (String) -> String {
      json { object in
        object["pre_tokenizer"] = ["type": "Sequence", "pretokenizers": [first, Self.metaspace(scheme)]]
        object["normalizer"] = nil
        // A piece over the cut.
        guard var model = object["model"] as? [String: Any], var vocab = model["vocab"] as? [String: Any],
          let merges = model["merges"] as? [Any]
        else { return }
        for piece in ["1", "▁1"] { vocab[piece] = vocab.count }
        model["vocab"] = vocab
        model["merges"] = merges + [["▁", "1"] as [String]]
        object["model"] = model
        object["added_tokens"] = [Any]()
        object["post_processor"] = nil
      }
    }
    let digits: [String: Any] = ["type": "Digits", "individual_digits": true]
    for scheme in ["first", "always"] {
      let error = #expect(throws: CheckpointError.self) { try vocabulary(sequence(digits, scheme)) }
      #expect(
        error?.description.contains(scheme == "first" ? "▁1" : "every stretch") == true, "\(error?.description ?? "")")
    }
  }

  /// It is cut out of a text before anything is merged, so that no merge needs it.
  @Test func aPieceThatIsAnAddedTokenToo() throws {
    let made = try vocabulary(
      json { object in
        guard let model = object["model"] as? [String: Any], let vocab = model["vocab"] as? [String: Int],
          let id = vocab["e"]
        else { return }
        let token: [String: Any] = [
          "id": id, "content": "e", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
          "special": false,
        ]
        object["added_tokens"] = (object["added_tokens"] as? [Any] ?? []) + [token]
      }, of: "prepend")
    let ids = try Tokenizer(made).encode("the end")
    #expect(ids.contains(Int32(made.tokens.firstIndex(of: "e") ?? -1)))
  }

  // MARK: Names of pre-tokenizers

  /// The tokenizers of well-known models under the names that llama.cpp has for them; nil for those it has none for.
  @Test(arguments: [
    ("tekken", "tekken"), ("o200k", "gpt-4o"), ("phi-4", "smaug-bpe"), ("bailing", "bailingmoe"),
    ("glm4", "llama-bpe"), ("qwen3.5", "qwen35"), ("deepseek-v3", "deepseek-v3"), ("deepseek-llm", "deepseek-llm"),
    ("command-r", "smollm"), ("tiny-aya", "tiny_aya"), ("superbpe", "superbpe"), ("bloom", "bloom"),
    ("seed-coder", "seed-coder"), ("exaone", nil), ("kimi", nil), ("laguna", nil), ("gemma", "default"),
  ])
  func namesOfPreTokenizers(_ kind: String, _ name: String?) throws {
    let file = try PatternFixture(kind).file
    func make() throws -> GGUFVocabulary {
      try vocabulary({ _ in file.compact }, of: "uncut")
    }
    guard let name else {
      let error = #expect(throws: CheckpointError.self) { try make() }
      #expect(error?.description.contains("no name for") == true)
      return
    }
    let made = try make()
    #expect(made.preTokenizer == name)
    let (folder, read) = (try Tokenizer(parsing: file), try Tokenizer(made))
    let written = try Tokenizer(parsing: try made.tokenizerFile())
    for text in ["The CamelCase fox's 7 tails,\n\n  and  more!", "Größe ist 3.1 (etwa)", "漢字とかな 한국어"] {
      let ids = try folder.encode(text, addSpecialTokens: false)
      #expect(try read.encode(text, addSpecialTokens: false) == ids)
      #expect(try written.encode(text, addSpecialTokens: false) == ids)
    }
  }

  /// All that llama.cpp has names for compiles, under no name twice.
  @Test func everyNameOfAPreTokenizer() throws {
    let names = GGUFVocabulary.preTokenizerNames
    #expect(names.count == Set(names).count && names.count > 60)
    for name in names {
      let vocabulary = GGUFVocabulary(
        model: "gpt2", preTokenizer: name, tokens: ["a", "Ġ"], merges: [], addsBeginning: false)
      #expect(try Tokenizer(vocabulary).encode("a a") == [0, 1, 0])
    }
  }
}
