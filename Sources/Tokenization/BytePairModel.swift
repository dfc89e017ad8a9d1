internal import Checkpoints

/// Byte-pair encoding, the `BPE` model of tokenizer.json: vocabulary, merges, and what becomes of characters outside
/// the vocabulary.
struct BytePairModel: Sendable {
  let vocabulary: Vocabulary
  let merges: MergeTable
  /// A word that is a token as a whole is not put together by merges.
  let ignoresMerges: Bool
  private let characterIDs: [Unicode.Scalar: Int32]
  /// Ids of `<0x00>` to `<0xFF>`, when `byte_fallback` is on.
  private let byteIDs: [Int32?]?
  var fallsBackToBytes: Bool { byteIDs != nil }
  private let unknownToken: String?
  private let unknownID: Int32?
  private let fusesUnknown: Bool

  init(parsing section: FileSection) throws(TokenizerError) {
    try section.allowOnly(
      "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
      "ignore_merges", "vocab", "merges"
    )
    // Old files leave the type out, as only BPE has merges.
    if let type = try section.member("type")?.string(), type != "BPE" {
      throw section.unsupported("the model '\(type)'")
    }
    if let dropout = section.member("dropout"), dropout.json.number != 0 {
      throw dropout.unsupported("dropout, which makes ids random,")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = section.member(key), try !affix.string().isEmpty { throw affix.unsupported("'\(key)'") }
    }
    let vocabulary = try Vocabulary(parsing: try section.required("vocab"))
    self.init(
      vocabulary: vocabulary,
      merges: try MergeTable(parsing: try section.required("merges"), vocabulary: vocabulary),
      ignoresMerges: try section.boolean("ignore_merges", absent: false),
      unknownToken: try section.member("unk_token")?.string(),
      fusesUnknown: try section.boolean("fuse_unk", absent: false),
      fallsBackToBytes: try section.boolean("byte_fallback", absent: false)
    )
  }

  init(
    vocabulary: Vocabulary, merges: MergeTable, ignoresMerges: Bool = false, unknownToken: String? = nil,
    fusesUnknown: Bool = false, fallsBackToBytes: Bool = false
  ) {
    self.vocabulary = vocabulary
    self.merges = merges
    self.ignoresMerges = ignoresMerges
    characterIDs = vocabulary.characterIDs()
    self.unknownToken = unknownToken
    unknownID = unknownToken.flatMap { vocabulary.id(of: Array($0.utf8)) }
    self.fusesUnknown = fusesUnknown
    let digits = Array("0123456789ABCDEF".utf8)
    byteIDs =
      fallsBackToBytes
      ? (0..<256).map { byte in
        vocabulary.id(of: Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15], UInt8(ascii: ">")])
      } : nil
  }

  /// Whether a text may be cut before every ▁ that follows another character, without a change of ids.
  ///
  /// No merge may cross the cut, and the character before it must leave a symbol there that does not end in ▁.
  var canCutAtWordStarts: Bool {
    guard merges.respectsWordStarts, characterIDs[WordStart.scalar] != nil else { return false }
    if let byteIDs, !byteIDs.contains(nil) { return true }
    guard unknownID != nil, let last = unknownToken?.unicodeScalars.last else { return false }
    return last != WordStart.scalar
  }

  /// The symbols that merging starts from: characters, their bytes, or the unknown token; nothing where a character has
  /// none of these.
  ///
  /// The unknown token waits for the next known character, and bytes do not end its waiting: so Hugging Face tokenizers
  /// puts it behind them (models/bpe/model.rs, `merge_word`).
  func appendSymbols(of text: [UInt8], _ range: Range<Int>, to symbols: inout [Int32]) throws(TokenizerError) {
    guard range.count <= SymbolMerger.largestCount else {
      throw TokenizerError(
        location: "model", problem: "a text of \(range.count) bytes is one word, and too long", remedy: "split the text"
      )
    }
    var waiting: Int32?
    var position = range.lowerBound
    while position < range.upperBound {
      let (scalar, next) = text.scalar(at: position)
      defer { position = next }
      if let id = characterIDs[scalar] {
        if let unknown = waiting { symbols.append(unknown) }
        waiting = nil
        symbols.append(id)
      } else if let byteIDs, text[position..<next].allSatisfy({ byteIDs[Int($0)] != nil }) {
        for byte in text[position..<next] { if let id = byteIDs[Int(byte)] { symbols.append(id) } }
      } else if let unknownToken {
        guard let unknownID else {
          throw .malformed("the vocabulary lacks the unknown token \"\(unknownToken)\"", at: "model.unk_token")
        }
        if !fusesUnknown, let unknown = waiting { symbols.append(unknown) }
        waiting = unknownID
      }
    }
    if let unknown = waiting { symbols.append(unknown) }
  }
}
