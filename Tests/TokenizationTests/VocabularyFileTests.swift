import Checkpoints
import Foundation
import Testing
import Tokenization

/// Vocabularies that come otherwise than in a tokenizer.json: tokenizer.model, GGUF, GPT-2's two files.
struct VocabularyFileTests {
  /// What SentencePiece answered for pieces.model.
  private func expectedPieces() throws -> JSON { try JSON(parsing: try fixtureBytes("pieces.expected.json")) }

  private func cases() throws -> [(text: String, ids: [Int32], decoded: String)] {
    try #require(try expectedPieces()["cases"]?.array).map { entry in
      (
        try #require(entry["text"]?.string), try #require(entry["ids"]?.array?.map { Int32($0.integer ?? -1) }),
        try #require(entry["decoded"]?.string)
      )
    }
  }

  @Test func sentencePiece() throws {
    let tokenizer = try Tokenizer(sentencePiece: try fixtureBytes("pieces.model"))
    for (text, ids, decoded) in try cases() {
      #expect(try tokenizer.encode(text, addSpecialTokens: false) == ids, "\(text.debugDescription)")
      #expect(try tokenizer.encode(text) == [1] + ids)
      #expect(Array(tokenizer.decode(ids).utf8) == Array(decoded.utf8), "\(text.debugDescription)")
    }
    let hard = try tokenizer.encode(try hardCases(), addSpecialTokens: false)
    #expect(IDFingerprint(hard) == (try IDFingerprint(try expectedPieces()["hard"])))
    #expect(try tokenizer.encode("a<pause>b</s>").contains(3))
    #expect(tokenizer.vocabularySize == 700)
  }

  private func pieceVocabulary() throws -> GGUFVocabulary {
    let pieces = try #require(try expectedPieces()["pieces"]?.array)
    return GGUFVocabulary(
      model: "llama",
      preTokenizer: "default",
      tokens: pieces.compactMap { $0.array?[0].string },
      scores: pieces.compactMap { ($0.array?[1].number).map(Float.init) },
      tokenTypes: pieces.compactMap { $0.array?[2].integer })
  }

  @Test func ggufPieces() throws {
    var vocabulary = try pieceVocabulary()
    let tokenizer = try Tokenizer(vocabulary)
    // llama.cpp treats user-defined pieces as special tokens, SentencePiece does not.
    let comparable = try cases().filter { text, _, _ in
      let marked = "▁" + text.replacing(" ", with: "▁")
      return !["<left>", "▁▁▁", "ough"].contains { marked.contains($0) }
    }
    #expect(comparable.count > 30)
    for (text, ids, _) in comparable {
      #expect(try tokenizer.encode(text) == [1] + ids, "\(text.debugDescription)")
    }
    vocabulary.addsBeginning = false
    vocabulary.addsEnd = true
    vocabulary.addsSpacePrefix = false
    let other = try Tokenizer(vocabulary)
    #expect(try other.encode(" a") == tokenizer.encode("a").dropFirst() + [2])
  }

  private func byteLevelVocabulary(_ preTokenizer: String?) throws -> GGUFVocabulary {
    let model = try #require(try JSON(parsing: try fixtureBytes("byte-level.json"))["model"])
    let members = try #require(model["vocab"]?.members)
    let merges = try #require(model["merges"]?.array).compactMap { merge in
      merge.array.map { $0.compactMap(\.string).joined(separator: " ") } ?? merge.string
    }
    let tokens = members.sorted { $0.value.integer ?? 0 < $1.value.integer ?? 0 }.map(\.key)
    return GGUFVocabulary(
      model: "gpt2", preTokenizer: preTokenizer, tokens: tokens,
      tokenTypes: tokens.map { $0 == "<|endoftext|>" ? 3 : 1 }, merges: merges, beginningToken: 0, endToken: 0)
  }

  @Test(arguments: [("smollm", Fixture.byteLevel), ("llama-bpe", .llama3), ("qwen2", .qwen2)])
  func ggufBytePairs(_ preTokenizer: String, _ fixture: Fixture) throws {
    let tokenizer = try Tokenizer(try byteLevelVocabulary(preTokenizer))
    for expectation in try fixture.expectations {
      // llama.cpp does not normalize.
      guard fixture != .qwen2 || expectation.text.unicodeScalars.allSatisfy({ $0.value < 0x300 }) else { continue }
      #expect(try tokenizer.encode(expectation.text) == expectation.ids, "\(expectation.text.debugDescription)")
      #expect(Array(tokenizer.decode(expectation.ids).utf8) == Array(expectation.decoded.utf8))
    }
  }

  /// What llama.cpp (of llama-cpp-python 0.3.36) makes of hard-cases.txt with this vocabulary under each name.
  @Test(
    arguments: [
      ("gpt-2", 8868, "ae178a2f0627b35c"), ("smollm", 8868, "ae178a2f0627b35c"),
      ("llama-bpe", 8871, "22453a1bf5c2053e"), ("smaug-bpe", 8870, "0412888181bd90f0"),
      ("qwen2", 8870, "0412888181bd90f0"), ("tekken", 8869, "934b3d083cf847c2"),
      ("deepseek-coder", 8902, "811a045fd868ba66"), ("default", 8903, "07acba48022eb708"),
      (nil, 8903, "07acba48022eb708"),
    ] as [(String?, Int, String)])
  func idsAreLlamaCppS(_ name: String?, _ count: Int, _ hash: String) throws {
    let ids = try Tokenizer(byteLevelVocabulary(name)).encode(hardCases())
    #expect(ids.count == count && IDFingerprint(ids).hash == hash)
  }

  /// tokenizer.json made of a GGUF file's vocabulary: the same ids, and the same texts back.
  @Test(
    arguments: [
      "gpt-2", "smollm", "llama-bpe", "smaug-bpe", "qwen2", "tekken", "default", "deepseek-coder", "pieces",
      "pieces without a space",
      "pieces with an end",
    ])
  func madeIntoATokenizerFile(_ kind: String) throws {
    var vocabulary: GGUFVocabulary
    if kind.hasPrefix("pieces") {
      vocabulary = try pieceVocabulary()
      vocabulary.addsSpacePrefix = kind != "pieces without a space"
      vocabulary.addsEnd = kind == "pieces with an end"
    } else {
      vocabulary = try byteLevelVocabulary(kind)
      // The embedding has more rows.
      vocabulary.tokens += ["[PAD600]", "[PAD601]"]
      vocabulary.tokenTypes? += [5, 5]
    }
    try withFolder([:]) { folder in
      try GGUFWriter(metadata: vocabulary.metadata, tensors: []).write(to: folder + "/a.gguf") { _ in
        preconditionFailure("no tensors")
      }
      let parts = try GGUFParts(path: folder + "/a.gguf")
      for (name, text) in try TokenizerFiles(parts, maximumLength: 7).files {
        try Data(text.utf8).write(to: URL(filePath: folder + "/" + name))
      }
      let (before, after) = (try Tokenizer(GGUFVocabulary(parts)), try Tokenizer(path: folder))
      let texts = try Fixture.byteLevel.expectations.map(\.text) + cases().map(\.text)
      for text in try [hardCases(), hardCases().replacing(" ", with: "")] + texts {
        let ids = try before.encode(text)
        #expect(try after.encode(text) == ids, "\(text.prefix(80).debugDescription)")
        #expect(Array(after.decode(ids).utf8) == Array(before.decode(ids).utf8))
      }
      #expect(after.vocabularySize == vocabulary.tokens.count - (kind.hasPrefix("pieces") ? 0 : 2))
      #expect(after.beginningToken == before.beginningToken)
      let settings = try Configuration(path: folder + "/tokenizer_config.json")
      #expect(settings["model_max_length"]?.integer == 7)
      // And into GGUF again.
      let again = try GGUFVocabulary(
        folder: folder, configuration: settings, rows: vocabulary.tokens.count)
      let name = again.preTokenizer
      #expect(kind.hasPrefix("pieces") || name == kind)
      let ids = try Tokenizer(again).encode(hardCases())
      #expect(try ids == before.encode(hardCases()))
    }
  }

  /// ſ is an s to regular expressions that ignore case, not to llama.cpp.
  @Test func longS() throws {
    let text = "it'ſa"
    let byRegularExpression = try Fixture.llama3.tokenizer.encode(text)
    #expect(try Tokenizer(try byteLevelVocabulary("llama-bpe")).encode(text).count <= byRegularExpression.count)
    #expect(try Fixture.llama3.tokenizer.decode(byRegularExpression, skipSpecialTokens: true) == text)
  }

  @Test func ggufRefusals() throws {
    func expectRefusal(_ part: String, _ change: (inout GGUFVocabulary) -> Void, pieces: Bool = true) throws {
      var vocabulary = try pieces ? pieceVocabulary() : byteLevelVocabulary("smollm")
      change(&vocabulary)
      let error = #expect(throws: TokenizerError.self) { try Tokenizer(vocabulary) }
      #expect(error?.description.contains(part) == true, "\(error.map(\.description) ?? "")")
    }
    try expectRefusal("'bert'") { $0.model = "bert" }
    try expectRefusal("scores") { $0.scores = nil }
    try expectRefusal("scores") { $0.scores?.removeLast() }
    try expectRefusal("not a number") { $0.scores?[300] = .nan }
    try expectRefusal("token_type") { $0.tokenTypes?.removeLast() }
    try expectRefusal("token_type[3]") { $0.tokenTypes?[3] = 7 }
    try expectRefusal("bos_token_id") { $0.beginningToken = 700 }
    try expectRefusal("more than 256") { $0.tokens[400] = String(repeating: "a", count: 300) }
    try expectRefusal("no piece itself") { $0.tokens[400] = "e丂" }
    try expectRefusal("'kimi-k2'", { $0.preTokenizer = "kimi-k2" }, pieces: false)
    try expectRefusal("merges: is missing", { $0.merges = nil }, pieces: false)
    try expectRefusal("merges[0]", { $0.merges?[0] = "ab" }, pieces: false)
    try expectRefusal(
      "eos_token_id",
      {
        $0.addsEnd = true
        $0.endToken = -1
      }, pieces: false)
  }

  /// A piece, or a part of the model, in Protocol Buffers: `field` of wire type 2, 0 or 5.
  private func message(_ field: UInt8, _ content: [UInt8]) -> [UInt8] {
    [field << 3 | 2, UInt8(content.count)] + content
  }

  private func piece(_ text: String, _ more: [UInt8] = []) -> [UInt8] {
    message(1, message(1, Array(text.utf8)) + more)
  }

  private let unknown: [UInt8] = [0x18, 2]
  private let bytePair: [UInt8] = [0x12, 2, 0x18, 2]
  private let plain: [UInt8] = [0x1A, 2, 0x20, 0]

  @Test func smallModel() throws {
    let model = piece("<unk>", unknown) + piece("▁") + piece("a") + piece("▁a", [0x15, 0, 0, 0x80, 0x3F])
    let tokenizer = try Tokenizer(sentencePiece: model + bytePair + plain)
    #expect(try tokenizer.encode("a bb", addSpecialTokens: false) == [3, 1, 0])
  }

  @Test func sentencePieceRefusals() throws {
    func expectRefusal(_ part: String, _ bytes: [UInt8]) {
      let error = #expect(throws: TokenizerError.self) { try Tokenizer(sentencePiece: bytes) }
      #expect(error?.description.contains(part) == true, "\(error.map(\.description) ?? "")")
    }
    let good = piece("<unk>", unknown) + piece("▁") + piece("a")
    expectRefusal("a unigram model", good + plain)
    expectRefusal("a word model", good + [0x12, 2, 0x18, 3] + plain)
    expectRefusal("remove_extra_whitespaces", good + bytePair)
    expectRefusal(
      "'nmt_nfkc'", good + bytePair + message(3, message(1, Array("nmt_nfkc".utf8)) + [0x12, 1, 0, 0x20, 0]))
    expectRefusal("precompiled_charsmap", good + bytePair + plain + message(5, [0x12, 1, 0]))
    expectRefusal("treat_whitespace_as_suffix", good + [0x12, 5, 0x18, 2, 0xC0, 1, 1] + plain)
    expectRefusal("escape_whitespaces", good + bytePair + [0x1A, 4, 0x20, 0, 0x28, 0])
    expectRefusal("'unknown'", piece("a") + bytePair + plain)
    expectRefusal("twice", good + piece("a") + bytePair + plain)
    expectRefusal("empty", good + piece("") + bytePair + plain)
    expectRefusal("unused", good + piece("b", [0x18, 5]) + bytePair + plain)
    expectRefusal("the type 9", good + piece("b", [0x18, 9]))
    expectRefusal("UTF-8", good + message(1, message(1, [0xFF])))
    expectRefusal("longer than the message", good + [0x0A, 200, 1])
    expectRefusal("within a number", good + [0x0A])
    expectRefusal("ten bytes", [UInt8](repeating: 0xFF, count: 12))
    expectRefusal("wire type", [0x0B])
    expectRefusal("should have a length", [0x08, 1])
  }

  // MARK: - Folders

  private func withFolder(_ files: [String: [UInt8]], _ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, bytes) in files { try Data(bytes).write(to: folder.appending(path: name)) }
    try body(folder.path)
  }

  @Test func folderWithModel() throws {
    let model = try fixtureBytes("pieces.model")
    let settings = #"""
      {"tokenizer_class": "LlamaTokenizer", "add_eos_token": true, "bos_token": {"content": "<pause>"},
       "eos_token": "<end>", "added_tokens_decoder": {"0": {"content": "<unk>"}, "700": {"content": "<end>", "special": true}}}
      """#
    try withFolder(["tokenizer.model": model, "tokenizer_config.json": Array(settings.utf8)]) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(try tokenizer.encode("a<end>").first == 3)
      #expect(try tokenizer.encode("a<end>").suffix(2) == [700, 700])
      #expect(tokenizer.vocabularySize == 701)
    }
    try withFolder(["tokenizer.model": model, "added_tokens.json": Array(#"{"<x>": 701, "<s>": 1}"#.utf8)]) { folder in
      #expect(try Tokenizer(path: folder).encode("a<x>").last == 701)
      let fingerprint = try Tokenizer.fingerprint(path: folder).description
      try Data(#"{"<y>": 701}"#.utf8).write(to: URL(filePath: folder + "/added_tokens.json"))
      #expect(try Tokenizer.fingerprint(path: folder).description != fingerprint)
    }
    try withFolder(["tokenizer.model": model, "tokenizer_config.json": Array(#"{"tokenizer_class": "T5"}"#.utf8)]) {
      folder in
      let error = #expect(throws: CheckpointError.self) { try Tokenizer(path: folder) }
      #expect(error?.description.contains("'T5'") == true)
    }
    try withFolder(["tokenizer.model": model, "tokenizer_config.json": Array(#"{"add_prefix_space": false}"#.utf8)]) {
      folder in
      let error = #expect(throws: CheckpointError.self) { try Tokenizer(path: folder) }
      #expect(error?.description.contains("tokenizer_config.json.add_prefix_space") == true)
    }
    try withFolder([:]) { folder in
      let error = #expect(throws: CheckpointError.self) { try Tokenizer(path: folder) }
      #expect(error?.code == .notFound)
    }
  }

  /// A GGUF file, or a folder that holds one and no tokenizer of its own.
  @Test func ggufFile() throws {
    let vocabulary = try pieceVocabulary()
    func metadata(_ end: UInt32) throws -> [GGUFFile.Member] {
      let types = try #require(vocabulary.tokenTypes).map { Int32($0) }
      let members: [(String, GGUFValue)] = [
        ("model", .string("llama")), ("pre", .string("default")), ("tokens", .strings(vocabulary.tokens)),
        ("scores", .float32s(try #require(vocabulary.scores))), ("token_type", .int32s(types)),
        ("add_eos_token", .boolean(true)), ("eos_token_id", .uint32(end)),
      ]
      return members.map { GGUFFile.Member(key: "tokenizer.ggml.\($0)", value: $1) }
    }
    try withFolder([:]) { folder in
      let path = folder + "/model.gguf"
      func write(_ metadata: [GGUFFile.Member]) throws {
        try GGUFWriter(metadata: metadata, tensors: []).write(to: path) { _ in preconditionFailure("no tensors") }
      }
      try write(metadata(2))
      let ids = try Tokenizer(vocabulary).encode("a few words") + [2]
      #expect(try Tokenizer(path: path).encode("a few words") == ids)
      #expect(try Tokenizer(path: folder).encode("a few words") == ids)
      let fingerprint = try Tokenizer.fingerprint(path: path)
      #expect(try Tokenizer.fingerprint(path: folder) == fingerprint)
      try write(metadata(3))
      #expect(try Tokenizer(path: path).encode("a few words").last == 3)
      #expect(try Tokenizer.fingerprint(path: path) != fingerprint)
      // The folder's own files come first.
      try Data(try fixtureBytes("pieces.model")).write(to: URL(filePath: folder + "/tokenizer.model"))
      #expect(try Tokenizer(path: folder).encode("a few words") == ids.dropLast())
      try write(metadata(3).map { $0.key.hasSuffix("scores") ? .init(key: $0.key, value: .strings(["x"])) : $0 })
      let error = #expect(throws: CheckpointError.self) { try Tokenizer(path: path) }
      #expect(error?.description.contains("model.gguf: tokenizer tokenizer.ggml.scores: is of another kind") == true)
    }
  }

  @Test(arguments: ["\n", "\r\n"]) func folderOfGPT2(_ lineEnd: String) throws {
    let vocabulary = #"{"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4, "<|endoftext|>": 5}"#
    let merges = ["#version: 0.2", "a b", "Ġ ab", ""].joined(separator: lineEnd)
    try withFolder(["vocab.json": Array(vocabulary.utf8), "merges.txt": Array(merges.utf8)]) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(try tokenizer.encode("ab ab  ab<|endoftext|>") == [2, 4, 3, 4, 5])
      #expect(tokenizer.decode([2, 4, 5], skipSpecialTokens: true) == "ab ab")
    }
  }
}
