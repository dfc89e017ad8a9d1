package import Checkpoints

/// Text to token ids and back, as described by a tokenizer.json of Hugging Face tokenizers, a tokenizer.model of
/// SentencePiece, or the vocabulary of a GGUF file.
///
/// The ids are those of the programs that these formats come from, exactly; a file that asks for anything this module
/// does not compute is refused. Truncation and padding, which files may carry, are not applied: `transformers` switches
/// them off as well.
///
/// The way of a text: added tokens are cut out, the rest is normalized, cut into words and encoded by byte-pair merges,
/// and special tokens are put around the whole.
package struct Tokenizer: Sendable {
  let addedTokens: AddedTokens
  let normalizer: Normalizer
  let preTokenizer: PreTokenizer
  let model: BytePairModel
  let postProcessor: PostProcessor
  private let decoder: TokenDecoder
  /// The token that stands before a text that nothing else stands before, where one must: the beginning of a text as
  /// the files name it, or else its end, as lm-evaluation-harness takes them; nil where no file names either. It may be
  /// one that `encode` does not put there.
  package internal(set) var prefixToken: Int32?

  package init(parsing json: JSON) throws(TokenizerError) { try self.init(parsing: json, beside: .init()) }

  /// - Parameter files: The files beside tokenizer.json, which may name more tokens.
  init(parsing json: JSON, beside files: DeclaredTokens.Files) throws(TokenizerError) {
    let file = FileSection(json: json, location: "")
    try file.allowOnly(
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
      "model"
    )
    if let version = file.member("version"), try version.string() != "1.0" {
      throw version.unsupported("a version other than 1.0")
    }
    normalizer = try Normalizer(parsing: file.member("normalizer"))
    preTokenizer = try PreTokenizer(parsing: file.member("pre_tokenizer"))
    model = try BytePairModel(parsing: try file.required("model"))
    postProcessor = try PostProcessor(parsing: file.member("post_processor"))
    decoder = try TokenDecoder(parsing: file.member("decoder"))
    addedTokens = try AddedTokens(
      parsing: file.member("added_tokens"), beside: files, vocabulary: model.vocabulary, normalizer: normalizer)
    if preTokenizer.dependsOnTextStart, !normalizer.isIdentity {
      throw .unsupported("prepend_scheme 'first' behind a normalizer", at: "pre_tokenizer")
    }
  }

  init(
    addedTokens: AddedTokens, normalizer: Normalizer = Normalizer(), preTokenizer: PreTokenizer = PreTokenizer(),
    model: BytePairModel, postProcessor: PostProcessor, decoder: TokenDecoder
  ) {
    self.addedTokens = addedTokens
    self.normalizer = normalizer
    self.preTokenizer = preTokenizer
    self.model = model
    self.postProcessor = postProcessor
    self.decoder = decoder
  }

  /// The token that stands before every text, if there is one: the beginning of a sequence, BOS.
  package var beginningToken: Int32? { postProcessor.before.first }

  /// One more than the largest id, added tokens included.
  package var vocabularySize: Int { max(model.vocabulary.size, addedTokens.size) }

  /// The smallest id that belongs to another token than in the other tokenizer; nil where every id means the same.
  package func firstDifference(from other: Tokenizer) -> Int32? {
    func token(_ id: Int32, of tokenizer: Tokenizer) -> [UInt8]? {
      tokenizer.model.vocabulary.token(of: id) ?? tokenizer.addedTokens.token(of: id)?.pattern
    }
    return (0..<Int32(max(vocabularySize, other.vocabularySize))).first { token($0, of: self) != token($0, of: other) }
  }

  package func id(of token: String) -> Int32? {
    let bytes = Array(token.utf8)
    return addedTokens.id(of: bytes) ?? model.vocabulary.id(of: bytes)
  }

  /// Whether it is an added token that stands for no text.
  package func isSpecial(_ id: Int32) -> Bool { addedTokens.token(of: id)?.special ?? false }

  package func encode(_ text: String, addSpecialTokens: Bool = true) throws(TokenizerError) -> [Int32] {
    let bytes = Array(text.utf8)
    var ids = addSpecialTokens ? postProcessor.before : []
    var encoder = WordEncoder(model: model, isByteLevel: preTokenizer.isByteLevel)
    for piece in addedTokens.splitLiteral(bytes) {
      if let id = piece.id {
        ids.append(id)
      } else {
        try encode(bytes[piece.range], with: &encoder, to: &ids)
      }
    }
    if addSpecialTokens { ids += postProcessor.after }
    return ids
  }

  /// Encodes what lies between added tokens; an index of `piece` is an offset in the whole text.
  private func encode(
    _ piece: ArraySlice<UInt8>, with encoder: inout WordEncoder, to ids: inout [Int32]
  ) throws(TokenizerError) {
    let normalized = normalizer.normalize(Array(piece))
    for part in addedTokens.splitNormalized(normalized) {
      if let id = part.id {
        ids.append(id)
        continue
      }
      let startsText = piece.startIndex == 0 && part.range.lowerBound == 0
      let words = try preTokenizer.split(Array(normalized[part.range]), startsText: startsText)
      var start = 0
      for end in words.ends {
        try encoder.encode(words.bytes, start..<end, to: &ids)
        start = end
      }
    }
  }

  /// Ids that belong to no token are passed over.
  ///
  /// `skipSpecialTokens` leaves out every special token. Hugging Face tokenizers 0.23 keeps those whose content the
  /// normalizer changes, as in Llama 2's file.
  package func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool = false) -> String {
    var tokens: [[UInt8]] = []
    for id in ids {
      if let added = addedTokens.token(of: id) {
        if !(skipSpecialTokens && added.special) { tokens.append(added.pattern) }
      } else if let token = model.vocabulary.token(of: id) {
        tokens.append(token)
      }
    }
    return decoder.decode(tokens)
  }
}
