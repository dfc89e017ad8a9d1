import Checkpoints
import Foundation
import Testing
import Tokenization

/// Tokens that only the files beside a tokenizer.json name.
struct DeclaredTokenTests {
  private func withFolder(_ files: [String: [UInt8]], _ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, bytes) in files { try Data(bytes).write(to: folder.appending(path: name)) }
    try body(folder.path)
  }

  /// What AutoTokenizer of transformers 5.24 answered: Fixtures/make_beside_fixtures.py.
  @Test func idsAreAutoTokenizerS() throws {
    let fixture = try JSON(parsing: try fixtureBytes("beside.expected.json"))
    let text = try #require(fixture["text"]?.string)
    let cases = try #require(fixture["cases"]?.array)
    #expect(cases.count == 18)
    for (number, entry) in cases.enumerated() {
      var files = ["tokenizer.json": try fixtureBytes("\(try #require(entry["tokenizer"]?.string)).json")]
      for member in try #require(entry["files"]?.members) { files[member.key] = Array(member.value.compact.utf8) }
      let ids = try #require(entry["ids"]?.array).map { Int32($0.integer ?? -1) }
      try withFolder(files) { folder in
        let found = try Tokenizer(path: folder).encode(text)
        #expect(found == ids, "case \(number)")
      }
    }
  }

  private func settings(_ text: String) throws -> [String: [UInt8]] {
    ["tokenizer.json": try fixtureBytes("byte-level.json"), "tokenizer_config.json": Array(text.utf8)]
  }

  @Test func whatCannotBeIsRefusedByName() throws {
    for (text, words) in [
      (#"{"split_special_tokens": true}"#, "tokenizer_config.json.split_special_tokens"),
      (#"{"added_tokens_decoder": {"x": {"content": "a"}}}"#, "added_tokens_decoder.x"),
      (#"{"added_tokens_decoder": {"7": {}}}"#, "'content' is missing"), (#"{"eos_token": 7}"#, "eos_token"),
      ("[", "tokenizer_config.json"),
    ] {
      try withFolder(try settings(text)) { folder in
        let error = #expect(throws: CheckpointError.self) { try Tokenizer(path: folder) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
      }
    }
  }

  /// A template of chats changes no id, a token does.
  @Test func theFingerprintFollowsTheIds() throws {
    func fingerprint(_ text: String) throws -> Fingerprint {
      var result = Fingerprint()
      try withFolder(try settings(text)) { result = try Tokenizer.fingerprint(path: $0) }
      return result
    }
    let plain = try fingerprint(#"{"eos_token": "<|endoftext|>"}"#)
    let (template, token) = (
      try fingerprint(#"{"chat_template": "x", "model_max_length": NaN}"#),
      try fingerprint(#"{"eos_token": "<|im_end|>"}"#)
    )
    #expect(template == plain && token != plain)
  }
}
