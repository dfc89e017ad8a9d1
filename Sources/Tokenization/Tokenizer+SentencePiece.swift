internal import Checkpoints

extension Tokenizer {
  /// The tokenizer that a tokenizer.model describes, as transformers' LlamaTokenizer has it: the begin token before the
  /// text.
  package init(sentencePiece bytes: [UInt8]) throws(TokenizerError) {
    try self.init(sentencePiece: bytes, settings: nil, added: nil)
  }

  /// `settings` is tokenizer_config.json, `added` is added_tokens.json.
  init(sentencePiece bytes: [UInt8], settings: FileSection?, added: FileSection?) throws(TokenizerError) {
    if let name = settings?.member("tokenizer_class"), !Self.sentencePieceClasses.contains(try name.string()) {
      throw name.unsupported("the class '\(try name.string())' without a tokenizer.json")
    }
    let model = try SentencePieceModel(parsing: bytes)
    if let prefix = settings?.member("add_prefix_space"), try prefix.boolean() != model.vocabulary.addsPrefix {
      throw prefix.unsupported("another value than the model's")
    }
    let pieces = model.vocabulary.pieces
    let more = try AddedTokens.beyondModel(settings: settings, added: added, count: pieces.count)

    /// The token that the settings name, or else the model's.
    func ids(_ key: String, _ fallback: Int32?) throws(TokenizerError) -> [Int32] {
      guard let named = settings?.member(key) else { return fallback.map { [$0] } ?? [] }
      let content = try (named.member("content") ?? named).bytes()
      if let id = pieces.firstIndex(where: { $0.text.utf8.elementsEqual(content) }) { return [Int32(id)] }
      if let token = more.first(where: { $0.content == content })?.token { return [token.id] }
      throw named.malformed("\"\(String(decoding: content, as: UTF8.self))\" is no token of the model")
    }
    self = try model.vocabulary.tokenizer(
      before: try settings?.boolean("add_bos_token", absent: true) ?? true ? try ids("bos_token", model.beginning) : [],
      after: try settings?.boolean("add_eos_token", absent: false) ?? false ? try ids("eos_token", model.end) : [],
      more: more)
  }

  /// The classes that put nothing but the begin and end tokens around what SentencePiece makes of a text.
  private static let sentencePieceClasses = [
    "LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast", "GemmaTokenizer",
    "GemmaTokenizerFast",
  ]
}
