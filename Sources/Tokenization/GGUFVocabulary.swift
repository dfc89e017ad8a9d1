package import Checkpoints

/// A vocabulary as a GGUF file carries it: the values of its keys `tokenizer.ggml.…`.
///
/// Nil stands for a key that the file lacks.
package struct GGUFVocabulary: Sendable {
  /// `model`: "gpt2" for byte-level BPE, "llama" for SentencePiece's pieces.
  package var model: String
  /// `pre`: the name of the pattern that cuts words. It matters for "gpt2" only.
  package var preTokenizer: String?
  /// `tokens`, in the order of their ids.
  package var tokens: [String]
  /// `scores`, as many as tokens; "llama" needs them.
  package var scores: [Float]?
  /// `token_type`, as many as tokens: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
  package var tokenTypes: [Int]?
  /// `merges`: two tokens with a space between, the first to merge first; "gpt2" needs them.
  package var merges: [String]?
  /// `bos_token_id`
  package var beginningToken: Int?
  /// `eos_token_id`
  package var endToken: Int?
  /// `add_bos_token`
  package var addsBeginning: Bool?
  /// `add_eos_token`
  package var addsEnd: Bool?
  /// `add_space_prefix`. It matters for "llama" only.
  package var addsSpacePrefix: Bool?
  /// Other ids of special tokens, by key, for writing: `padding_token_id` and so on.
  var further: [String: GGUFValue] = [:]
  /// Templates of chats by name, for writing.
  var chatTemplates: [String: String] = [:]
  /// What people should know of a vocabulary that was made of a folder's tokenizer: which ids differ in GGUF.
  package internal(set) var notes: [String] = []

  package init(
    model: String, preTokenizer: String? = nil, tokens: [String], scores: [Float]? = nil, tokenTypes: [Int]? = nil,
    merges: [String]? = nil, beginningToken: Int? = nil, endToken: Int? = nil, addsBeginning: Bool? = nil,
    addsEnd: Bool? = nil, addsSpacePrefix: Bool? = nil
  ) {
    self.model = model
    self.preTokenizer = preTokenizer
    self.tokens = tokens
    self.scores = scores
    self.tokenTypes = tokenTypes
    self.merges = merges
    self.beginningToken = beginningToken
    self.endToken = endToken
    self.addsBeginning = addsBeginning
    self.addsEnd = addsEnd
    self.addsSpacePrefix = addsSpacePrefix
  }
}

extension GGUFVocabulary {
  package init(_ parts: GGUFParts) throws(TokenizerError) {
    func read<Value>(_ key: String, _ convert: (GGUFValue) -> Value?) throws(TokenizerError) -> Value? {
      guard let value = parts["tokenizer.ggml.\(key)"] else { return nil }
      guard let result = convert(value) else { throw .malformed("is of another kind", at: "tokenizer.ggml.\(key)") }
      return result
    }
    guard let model = try read("model", \.string) else { throw .malformed("is missing", at: "tokenizer.ggml.model") }
    guard let tokens = try read("tokens", \.strings) else {
      throw .malformed("is missing", at: "tokenizer.ggml.tokens")
    }
    self.init(
      model: model, preTokenizer: try read("pre", \.string), tokens: tokens,
      scores: try read("scores", \.numbers)?.map { Float($0) }, tokenTypes: try read("token_type", \.integers),
      merges: try read("merges", \.strings), beginningToken: try read("bos_token_id", \.integer),
      endToken: try read("eos_token_id", \.integer), addsBeginning: try read("add_bos_token", \.boolean),
      addsEnd: try read("add_eos_token", \.boolean), addsSpacePrefix: try read("add_space_prefix", \.boolean))
  }
}

extension Tokenizer {
  /// The ids are those of llama.cpp (src/llama-vocab.cpp) when it looks for special tokens in the text, as it does for
  /// prompts.
  package init(_ vocabulary: GGUFVocabulary) throws(TokenizerError) {
    switch vocabulary.model {
    case "gpt2": self = try vocabulary.bytePairTokenizer()
    case "llama": self = try vocabulary.pieceTokenizer()
    case let model: throw .unsupported("the vocabulary '\(model)'", at: "tokenizer.ggml.model")
    }
  }
}

extension GGUFVocabulary {
  fileprivate func pieceTokenizer() throws(TokenizerError) -> Tokenizer {
    let kinds = try kinds()
    guard let scores, scores.count == tokens.count else {
      throw .malformed("there should be as many scores as tokens, \(tokens.count)", at: "tokenizer.ggml.scores")
    }
    let pieces = tokens.indices.map { PieceVocabulary.Piece(text: tokens[$0], score: scores[$0], kind: kinds[$0]) }
    let vocabulary = PieceVocabulary(
      pieces: pieces, fallsBackToBytes: true, addsPrefix: addsSpacePrefix ?? true, findsUserDefinedInMarkedText: false)
    return try vocabulary.tokenizer(
      before: addsBeginning ?? true ? [try id(beginningToken ?? 1, "bos_token_id")] : [],
      after: addsEnd ?? false ? [try id(endToken ?? 2, "eos_token_id")] : [])
  }

  fileprivate func bytePairTokenizer() throws(TokenizerError) -> Tokenizer {
    let named = try namedPreTokenizer()
    let kinds = try kinds()
    guard let merges else { throw .malformed("is missing", at: "tokenizer.ggml.merges") }
    let vocabulary = Vocabulary(tokens: tokens)
    let table = try MergeTable(
      parsing: FileSection(json: .array(merges.map(JSON.string)), location: "tokenizer.ggml.merges"),
      vocabulary: vocabulary)
    var added: [(content: [UInt8], token: AddedTokens.Token)] = []
    for (id, kind) in zip(Int32(0)..., kinds) where [.unknown, .control, .userDefined].contains(kind) {
      let text = Array(tokens[Int(id)].utf8)
      added.append((text, AddedTokens.Token(pattern: text, id: id, special: kind != .userDefined)))
    }
    return Tokenizer(
      addedTokens: try AddedTokens(added),
      preTokenizer: PreTokenizer(byteLevelWords: named.steps.map { PreTokenizer.Cut($0) }),
      model: BytePairModel(vocabulary: vocabulary, merges: table, ignoresMerges: named.ignoresMerges),
      postProcessor: PostProcessor(
        before: addsBeginning ?? named.addsBeginning ? [try id(beginningToken, "bos_token_id")] : [],
        after: addsEnd ?? false ? [try id(endToken, "eos_token_id")] : []),
      decoder: .byteLevel
    )
  }

  /// The names of pre-tokenizers that are read.
  package static let preTokenizerNames = GGUFPreTokenizer.all.flatMap(\.names)

  /// What llama.cpp makes of the name of a pre-tokenizer, or of none.
  func namedPreTokenizer() throws(TokenizerError) -> GGUFPreTokenizer {
    let name = preTokenizer ?? "default"
    guard let named = GGUFPreTokenizer.named(name) else {
      throw .unsupported("the pre-tokenizer '\(name)'", at: "tokenizer.ggml.pre")
    }
    return named
  }

  private func kinds() throws(TokenizerError) -> [PieceVocabulary.Kind] {
    guard tokens.count <= FileSection.maximumIDCount else {
      throw .malformed("more than \(FileSection.maximumIDCount) tokens", at: "tokenizer.ggml.tokens")
    }
    let place = "tokenizer.ggml.token_type"
    guard let tokenTypes else { return [PieceVocabulary.Kind](repeating: .normal, count: tokens.count) }
    guard tokenTypes.count == tokens.count else {
      throw .malformed("there should be as many types as tokens, \(tokens.count)", at: place)
    }
    var kinds: [PieceVocabulary.Kind] = []
    kinds.reserveCapacity(tokenTypes.count)
    for (id, type) in tokenTypes.enumerated() {
      guard let kind = PieceVocabulary.Kind(rawValue: type) else {
        throw .unsupported("the type \(type)", at: "\(place)[\(id)]")
      }
      kinds.append(kind)
    }
    return kinds
  }

  private func id(_ value: Int?, _ key: String) throws(TokenizerError) -> Int32 {
    guard let value, tokens.indices.contains(value) else {
      throw .malformed("should be the id of a token", at: "tokenizer.ggml.\(key)")
    }
    return Int32(value)
  }
}
