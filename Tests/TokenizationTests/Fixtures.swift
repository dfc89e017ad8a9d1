import Checkpoints
import Foundation
import Testing
import Tokenization

/// The files beside this one, made by Fixtures/make_fixtures.py.
enum Fixture: String, CaseIterable {
  /// Digits, then ByteLevel: the shape of SmolLM2's tokenizer.
  case byteLevel = "byte-level"
  /// ByteLevel with a space put in front, and RobertaProcessing.
  case byteLevelPrefix = "byte-level-prefix"
  /// Byte fallback behind the Metaspace pre-tokenizer.
  case metaspace
  /// The same vocabulary behind Prepend and Replace: the shape of Llama's tokenizer.
  case prepend
  /// Added tokens with every option, and Metaspace that neither splits nor prepends twice.
  case addedTokens = "added-tokens"
  /// The vocabulary of `byteLevel` behind Llama 3's pattern, with `ignore_merges` and a token before the text.
  case llama3
  /// The same behind NFC and Qwen2's pattern.
  case qwen2

  var tokenizer: Tokenizer { get throws { try Tokenizer(parsing: try read("\(rawValue).json")) } }

  var expectations: [Expectation] {
    get throws { try #require(try read("\(rawValue).expected.json").array).map(Expectation.init) }
  }

  private func read(_ name: String) throws -> JSON { try JSON(parsing: try fixtureBytes(name)) }
}

func fixtureBytes(_ name: String) throws -> [UInt8] {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
  return [UInt8](try Data(contentsOf: folder.appending(path: name)))
}

/// Mixed scripts, emoji, marks, controls, runs of spaces and digits, line ends of all kinds.
func hardCases() throws -> String {
  try #require(String(validating: try fixtureBytes("hard-cases.txt"), as: UTF8.self))
}

/// What stands for a long row of ids in the expectations: their count, and FNV-1a over them.
struct IDFingerprint: Equatable {
  let count: Int
  let hash: String

  init(_ json: JSON?) throws {
    count = try #require(json?["count"]?.integer)
    hash = try #require(json?["fnv1a"]?.string)
  }

  init(_ ids: [Int32]) {
    count = ids.count
    let value = ids.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64(UInt32(bitPattern: $1))) &* 0x100_0000_01B3 }
    let digits = String(value, radix: 16)
    hash = String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// What Hugging Face tokenizers answered.
struct Expectation {
  let text: String
  let ids: [Int32]
  let idsWithoutSpecial: [Int32]
  let decoded: String
  let decodedWithoutSpecial: String

  init(_ json: JSON) throws {
    text = try #require(json["text"]?.string)
    ids = try #require(json["ids"]?.array).map { Int32(try #require($0.integer)) }
    idsWithoutSpecial = try #require(json["ids_without_special"]?.array).map { Int32(try #require($0.integer)) }
    decoded = try #require(json["decoded"]?.string)
    decodedWithoutSpecial = try #require(json["decoded_without_special"]?.string)
  }
}

/// A tokenizer.json in a few words; every part can be replaced by other JSON text.
func tinyTokenizer(
  vocabulary: String = #"{"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 5}"#,
  merges: String = #"["a b", "b c", "ab c"]"#,
  modelOptions: String = "",
  addedTokens: String = "[]",
  normalizer: String = "null",
  preTokenizer: String = "null",
  postProcessor: String = "null",
  decoder: String = "null",
  more: String = ""
) throws -> Tokenizer {
  let text = """
    {"version": "1.0", "truncation": null, "padding": null, "added_tokens": \(addedTokens),
     "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer), "post_processor": \(postProcessor),
     "decoder": \(decoder), "model": {"type": "BPE", \(modelOptions) "vocab": \(vocabulary), "merges": \(merges)}\(more)}
    """
  return try Tokenizer(parsing: try JSON(parsing: Array(text.utf8)))
}
