/// SentencePiece's kind of vocabulary: scored pieces of text, of which merging makes the ones it can.
///
/// In a tokenizer.model and in GGUF files of the model `llama`.
struct PieceVocabulary {
  /// The numbers of both formats.
  enum Kind: Int {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  struct Piece {
    let text: String
    let score: Float
    let kind: Kind
  }

  let pieces: [Piece]
  /// Characters without a piece become the pieces `<0x00>` to `<0xFF>`.
  let fallsBackToBytes: Bool
  /// A space is put before the text, and before what follows a special token.
  let addsPrefix: Bool
  /// User-defined pieces are looked for in the text with its spaces marked, as SentencePiece does; llama.cpp cuts them
  /// out like special tokens.
  let findsUserDefinedInMarkedText: Bool

  /// `more` are added tokens that the vocabulary itself lacks.
  func tokenizer(
    before: [Int32], after: [Int32], more: [(content: [UInt8], token: AddedTokens.Token)] = []
  ) throws(TokenizerError) -> Tokenizer {
    for (id, piece) in pieces.enumerated() where !piece.score.isFinite {
      throw .malformed("the score of the piece \(id) is not a number", at: "pieces")
    }
    let vocabulary = Vocabulary(tokens: pieces.map(\.text))
    let mergeable = pieces.indices.filter { [.normal, .unused].contains(pieces[$0].kind) }.map { Int32($0) }
    // SentencePiece takes control pieces in a text for characters.
    let cutOut: [Kind] = findsUserDefinedInMarkedText ? [.userDefined] : [.userDefined, .control, .unknown]
    let found = Set(pieces.indices.filter { cutOut.contains(pieces[$0].kind) }.map { Int32($0) })
    let merges = try MergeTable(pieces: mergeable, found: found, scores: pieces.map(\.score), vocabulary: vocabulary)
    let model = BytePairModel(
      vocabulary: vocabulary, merges: merges, unknownToken: pieces.first { $0.kind == .unknown }?.text,
      fusesUnknown: true, fallsBackToBytes: fallsBackToBytes)
    return Tokenizer(
      addedTokens: try AddedTokens(foundPieces + more),
      normalizer: Normalizer(markingSpaces: addsPrefix),
      model: model,
      postProcessor: PostProcessor(before: before, after: after),
      decoder: .sentencePiece(dropsFirstSpace: addsPrefix)
    )
  }

  /// Pieces that are found in the text before anything is merged.
  private var foundPieces: [(content: [UInt8], token: AddedTokens.Token)] {
    zip(pieces, Int32(0)...).compactMap { piece, id in
      let text = Array(piece.text.utf8)
      switch piece.kind {
      case .unknown, .control: return (text, AddedTokens.Token(pattern: text, id: id, special: true))
      case .userDefined:
        let token = AddedTokens.Token(
          pattern: text, id: id, normalized: findsUserDefinedInMarkedText, special: false)
        return (text, token)
      case .normal, .unused, .byte: return nil
      }
    }
  }
}
