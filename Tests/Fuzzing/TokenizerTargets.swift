import Checkpoints
import Foundation
import Tokenization

extension FuzzTarget {
  private static let bytePairs = """
    {"version": "1.0", "added_tokens": [{"id": 5, "content": "<s>", "single_word": true, "lstrip": true, "rstrip": true,
     "normalized": true, "special": true}], "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend",
     "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, {"type": "NFC"}]},
     "pre_tokenizer": null, "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>",
     "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [5],
     "tokens": ["<s>"]}}}, "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"},
     "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1,
     "stop": 0}]}, "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true,
     "byte_fallback": true, "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3, "▁": 4, "<s>": 5, "<0x0A>": 6},
     "merges": ["a b"]}}
    """

  private static let byteLevel = """
    {"added_tokens": [{"id": 3, "content": "<e>", "normalized": false, "special": true}], "normalizer": {"type": "NFKC"},
     "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
     {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}]},
     "post_processor": {"type": "ByteLevel"}, "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE",
     "ignore_merges": true, "vocab": {"a": 0, "Ġ": 1, "Ġa": 2}, "merges": [["Ġ", "a"]]}}
    """

  private static let splits = #"""
    {"added_tokens": [{"id": 4, "content": "ab", "lstrip": true, "normalized": true, "special": false}],
     "normalizer": {"type": "Replace", "pattern": {"String": "b"}, "content": "aa"},
     "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
     {"type": "Split", "pattern": {"Regex": "[\\p{P}$+<=>^~|]+"}, "behavior": "Isolated", "invert": false},
     {"type": "Split", "pattern": {"Regex": "[0-9]{3}|(?=b)"}, "behavior": "MergedWithNext", "invert": true},
     {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": false},
     {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
     "post_processor": {"type": "RobertaProcessing", "sep": ["b", 1], "cls": ["a", 0]},
     "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}, "model": {"type": "BPE",
     "fuse_unk": true, "unk_token": "b", "vocab": {"a": 0, "b": 1, "▁": 2, "▁a": 3}, "merges": ["▁ a"]}}
    """#

  static let tokenizer = FuzzTarget(
    name: "tokenizer",
    seeds: [bytePairs, byteLevel].map { Array($0.utf8) },
    pieces: [
      "{\"type\": \"Metaspace\", \"replacement\": \"▁\", \"prepend_scheme\": \"first\", \"split\": true}",
      "{\"type\": \"RobertaProcessing\", \"sep\": [\"b\", 2], \"cls\": [\"a\", 1]}", "null", "\"NFD\"", "\"NFKD\"",
      "true",
      "2097151", "-1", "\"\"", "\"normalizer\": ", "\"vocab\": ", "{\"id\": 7, \"content\": \"x\"}", "[", "]", "{", "}",
    ].map { Array($0.utf8) },
    structure: Structure(seeds: [bytePairs, byteLevel, splits].map(json)) { Array($0.compact.utf8) }
  ) { bytes, _ in
    ending { try use(Tokenizer(parsing: JSON(parsing: bytes))) }
  }

  /// A regular expression, a line break, and a text.
  static let pattern = FuzzTarget(
    name: "pattern",
    seeds: [
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#,
      #"[\p{Han}&&[^一-丽]]+|\d{1,3}(?=(?:\d{3})*\b)|(?<!a)b+?|^x*$|(?>a|ab)c|[^(\s|[.,!?…])]+|\x{41}\u0042"#,
    ].map { Array("\($0)\nIt's 12345 b, ab\r\n xxx  漢丁 \u{1F600}é AB (c)".utf8) },
    pieces: [
      "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", ")", "|", "[", "[^", "]", "&&", "{1,3}", "{2,}", "*", "+?",
      "?+",
      "\\p{L}", "\\P{Lu}", "\\s", "\\w", "\\b", "^", "$", "\\x{10FFFF}", ".", "a", "é", "漢", "a-z", "(a|a)*",
    ].map { Array($0.utf8) }
  ) { bytes, _ in
    ending {
      let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
      let pattern = try Pattern(String(decoding: parts[0], as: UTF8.self))
      let text = String(decoding: parts.last ?? [], as: UTF8.self)
      let matches = try pattern.matches(in: text, steps: 1_000_000)
      var end = 0
      for match in matches {
        precondition(match.lowerBound >= end && match.upperBound <= text.utf8.count, "matches in no order")
        precondition(
          String(validating: Array(text.utf8)[match], as: UTF8.self) != nil, "a match that ends within a character")
        end = match.upperBound
      }
      return "\(min(matches.count, 20)) \(matches.contains(where: \.isEmpty))"
    }
  }

  private static func json(_ text: String) -> JSON {
    guard let value = try? JSON(parsing: Array(text.utf8)) else { fatalError("a seed is no JSON") }
    return value
  }

  private static func message(_ field: UInt8, _ content: [UInt8]) -> [UInt8] {
    [field << 3 | 2, UInt8(content.count)] + content
  }

  private static func piece(_ text: String, _ more: [UInt8] = []) -> [UInt8] {
    message(1, message(1, Array(text.utf8)) + more)
  }

  private static let pieces = """
    {"pieces": [["<unk>", 0, 2], ["<s>", 0, 3], ["</s>", 0, 3], ["<0x41>", 0, 6], ["<0x0A>", 0, 6], ["▁", -1, 1],
     ["a", -2, 1], ["▁a", 1, 1], ["b", -3, 1], ["ab", 0.5, 4], ["é", -4, 1]],
     "trainer": {"3": 2, "35": 1, "41": 1, "42": 2}, "normalizer": {"3": 1, "4": 0, "5": 1}}
    """

  /// Pieces as [text, score, kind], and fields of two messages by their numbers.
  private static let sentencePieceModel: @Sendable (JSON) -> [UInt8] = { description in
    func variable(_ value: Int) -> [UInt8] {
      var (rest, bytes) = (UInt64(bitPattern: Int64(value)), [UInt8]())
      while rest > 0x7F {
        bytes.append(UInt8(rest & 0x7F) | 0x80)
        rest >>= 7
      }
      return bytes + [UInt8(rest)]
    }
    func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
      variable(number << 3 | 2) + variable(content.count) + content
    }
    func settings(_ name: String) -> [UInt8] {
      (description[name]?.members ?? []).flatMap { member in
        variable(((Int(member.key) ?? 6) & 0xFFFF) << 3) + variable(member.value.integer ?? 1)
      }
    }
    let pieces = (description["pieces"]?.array ?? []).flatMap { piece in
      let parts = piece.array ?? [piece]
      let score = Float(parts.dropFirst().first?.number ?? 0).bitPattern.littleEndian
      let text = field(1, Array((parts.first?.string ?? "").utf8))
      let kind = [0x18] + variable(parts.dropFirst(2).first?.integer ?? 1)
      return field(1, text + [0x15] + withUnsafeBytes(of: score) { Array($0) } + kind)
    }
    return pieces + field(2, settings("trainer")) + field(3, settings("normalizer"))
  }

  static let sentencePiece = FuzzTarget(
    name: "sentencepiece",
    seeds: [
      piece("<unk>", [0x18, 2]) + piece("<s>", [0x18, 3]) + piece("▁") + piece("a")
        + piece("▁a", [0x15, 0, 0, 0x80, 0x3F])
        + piece("<0x41>", [0x18, 6]) + piece("ab", [0x18, 4]) + [0x12, 2, 0x18, 2, 0x1A, 2, 0x20, 0]
    ],
    pieces: [
      piece("b"), piece("ab"), piece("", [0x18, 4]), [0x12, 2, 0x18, 2], [0x1A, 2, 0x20, 0], [0x18, 6],
      [0x15, 0, 0, 0xC0, 0x7F], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
    ],
    structure: Structure(seeds: [json(pieces)], encode: sentencePieceModel)
  ) { bytes, _ in
    ending { try use(Tokenizer(sentencePiece: bytes)) }
  }

  private static let pieceMetadata: [(String, GGUFValue)] = [
    ("model", .string("llama")), ("tokens", .strings(["<unk>", "<s>", "</s>", "▁", "a", "▁a", "<0x0A>", "<x>"])),
    ("scores", .float32s([0, 0, 0, -1, -2, -3, 0, 0])), ("token_type", .int32s([2, 3, 3, 1, 1, 1, 6, 4])),
    ("add_bos_token", .boolean(true)), ("bos_token_id", .uint32(1)), ("add_space_prefix", .boolean(true)),
  ]
  private static let byteMetadata: [(String, GGUFValue)] = [
    ("model", .string("gpt2")), ("pre", .string("llama-bpe")), ("tokens", .strings(["a", "Ġ", "Ġa", "<e>"])),
    ("token_type", .int32s([1, 1, 1, 3])), ("merges", .strings(["Ġ a"])), ("bos_token_id", .uint32(3)),
    ("eos_token_id", .uint32(3)), ("add_eos_token", .boolean(true)),
  ]

  private static func file(_ metadata: [(String, GGUFValue)]) -> [UInt8] {
    let path = FileManager.default.temporaryDirectory.appending(path: "seed-\(UUID().uuidString).gguf")
    defer { try? FileManager.default.removeItem(at: path) }
    let writer = GGUFWriter(
      metadata: metadata.map { .init(key: "tokenizer.ggml.\($0)", value: $1) }, tensors: [])
    guard (try? writer.write(to: path.path, contents: { _ in preconditionFailure("no tensors") })) != nil,
      let bytes = try? Data(contentsOf: path)
    else { fatalError("cannot write \(path.path)") }
    return Array(bytes)
  }

  private static let pieceValues = """
    {"model": "llama", "tokens": ["<unk>", "<s>", "</s>", "▁", "a", "▁a", "<0x0A>", "<x>", "b", "ab"],
     "scores": [0, 0, 0, -1, -2, -3, 0, 0, -4, -5], "token_type": [2, 3, 3, 1, 1, 1, 6, 4, 1, 1], "add_bos_token": true,
     "add_eos_token": true, "bos_token_id": 1, "eos_token_id": 2, "add_space_prefix": true}
    """
  private static let byteValues = """
    {"model": "gpt2", "pre": "default", "tokens": ["a", "Ġ", "Ġa", "<e>", "1", "11", "b", "ab"],
     "token_type": [1, 1, 1, 3, 1, 1, 1, 4], "merges": ["Ġ a", "1 1", "a b"], "bos_token_id": 3, "eos_token_id": 3,
     "add_eos_token": true}
    """

  /// Values as GGUF has them: lists are of texts, of real numbers (scores) or of whole ones.
  private static func metadata(_ description: JSON) -> [(String, GGUFValue)] {
    (description.members ?? []).filter { !$0.key.isEmpty }.map { member in
      let value: GGUFValue
      switch member.value {
      case .boolean(let flag): value = .boolean(flag)
      case .string(let text): value = .string(text)
      case .array(let elements) where member.key == "scores":
        value = .float32s(elements.map { Float($0.number ?? 0) })
      case .array(let elements) where elements.contains { $0.string != nil }:
        value = .strings(elements.map { $0.string ?? "" })
      case .array(let elements): value = .int32s(elements.map { Int32(truncatingIfNeeded: $0.integer ?? 0) })
      case let other: value = .uint32(UInt32(truncatingIfNeeded: other.integer ?? 0))
      }
      return (member.key, value)
    }
  }

  static let vocabulary = FuzzTarget(
    name: "vocabulary",
    seeds: [file(pieceMetadata), file(byteMetadata)],
    pieces: ["llama", "gpt2", "smollm", "qwen2", "tokenizer.ggml.pre", "▁", "Ġ", "<0x41>", "\0\0\0\0\0\0\0\u{1}"].map {
      Array($0.utf8)
    },
    structure: Structure(seeds: [json(pieceValues), json(byteValues)]) { file(metadata($0)) }
  ) { _, path in
    ending { try use(Tokenizer(GGUFVocabulary(try GGUFParts(path: path)))) }
  }

  /// Encodes and decodes a text with everything in it.
  private static func use(_ tokenizer: Tokenizer) throws -> String {
    let ids = try tokenizer.encode("a b\nab<s>  12 é \u{1F600}'s<e>")
    let text = tokenizer.decode(ids)
    _ = (tokenizer.vocabularySize, tokenizer.beginningToken, text.utf8.count)
    return "\(Set(ids).count) \(ids.isEmpty)"
  }
}
