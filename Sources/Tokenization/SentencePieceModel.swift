/// A tokenizer.model of SentencePiece (google/sentencepiece, src/sentencepiece_model.proto), as far as encoding needs
/// it.
///
/// Byte-pair models without a map of characters are read: those of Llama and Mistral. Others are refused.
struct SentencePieceModel {
  let vocabulary: PieceVocabulary
  /// Ids of the tokens that begin and end a sequence, where the model has them.
  let beginning: Int32?
  let end: Int32?

  init(parsing bytes: [UInt8]) throws(TokenizerError) {
    var pieces: [PieceVocabulary.Piece] = []
    var texts: Set<[UInt8]> = []
    var trainer = Trainer()
    var normalizer = NormalizerSettings()
    var message = ProtobufReader(bytes)
    while let field = try message.next() {
      switch field.number {
      case 1:
        guard pieces.count < FileSection.maximumIDCount else {
          throw field.malformed("more than \(FileSection.maximumIDCount) pieces")
        }
        let piece = try Self.piece(ProtobufReader(bytes, try field.range()), field)
        guard texts.insert(Array(piece.text.utf8)).inserted else {
          throw field.malformed("the piece \"\(piece.text)\" occurs twice")
        }
        pieces.append(piece)
      case 2: try trainer.read(ProtobufReader(bytes, try field.range()))
      case 3: try normalizer.read(ProtobufReader(bytes, try field.range()))
      case 5:
        var denormalizer = NormalizerSettings()
        try denormalizer.read(ProtobufReader(bytes, try field.range()))
      default: break
      }
    }
    guard trainer.modelType == Trainer.bytePairModel else {
      let names = [1: "unigram", 3: "word", 4: "char"]
      throw .unsupported(
        "a \(names[trainer.modelType] ?? "\(trainer.modelType)") model", at: "trainer_spec.model_type")
    }
    if trainer.marksWordEnds { throw .unsupported("true", at: "trainer_spec.treat_whitespace_as_suffix") }
    guard pieces.count(where: { $0.kind == .unknown }) == 1 else {
      throw .malformed("there should be one piece of the type 'unknown'", at: "pieces")
    }
    if let unused = pieces.first(where: { $0.kind == .unused }) {
      throw .unsupported("the unused piece \"\(unused.text)\"", at: "pieces")
    }
    if normalizer.collapsesSpaces { throw .unsupported("true", at: "normalizer_spec.remove_extra_whitespaces") }
    if !normalizer.marksSpaces { throw .unsupported("false", at: "normalizer_spec.escape_whitespaces") }
    func id(_ value: Int) -> Int32? { pieces.indices.contains(value) ? Int32(value) : nil }
    beginning = id(trainer.beginning)
    end = id(trainer.end)
    vocabulary = PieceVocabulary(
      pieces: pieces, fallsBackToBytes: trainer.fallsBackToBytes, addsPrefix: normalizer.addsPrefix,
      findsUserDefinedInMarkedText: true)
  }

  private static func piece(
    _ message: ProtobufReader, _ place: ProtobufReader.Field
  ) throws(TokenizerError) -> PieceVocabulary.Piece {
    var message = message
    var text = ""
    var score: Float = 0
    var kind = PieceVocabulary.Kind.normal
    while let field = try message.next() {
      switch field.number {
      case 1:
        guard let valid = String(validating: message.bytes[try field.range()], as: UTF8.self) else {
          throw field.malformed("a piece is not UTF-8")
        }
        text = valid
      case 2: score = try field.float()
      case 3:
        let number = try field.integer()
        guard let known = PieceVocabulary.Kind(rawValue: number) else {
          throw .unsupported("a piece of the type \(number)", at: "at byte \(field.offset)")
        }
        kind = known
      default: break
      }
    }
    guard !text.isEmpty else { throw place.malformed("a piece is empty") }
    return PieceVocabulary.Piece(text: text, score: score, kind: kind)
  }

  /// `TrainerSpec`, with its defaults.
  private struct Trainer {
    static let bytePairModel = 2

    var modelType = 1
    var marksWordEnds = false
    var fallsBackToBytes = false
    var beginning = 1
    var end = 2

    mutating func read(_ message: ProtobufReader) throws(TokenizerError) {
      var message = message
      while let field = try message.next() {
        switch field.number {
        case 3: modelType = try field.integer()
        case 24: marksWordEnds = try field.boolean()
        case 35: fallsBackToBytes = try field.boolean()
        case 41: beginning = try field.integer()
        case 42: end = try field.integer()
        default: break
        }
      }
    }
  }

  /// `NormalizerSpec`, with its defaults.
  private struct NormalizerSettings {
    var addsPrefix = true
    var collapsesSpaces = true
    var marksSpaces = true

    mutating func read(_ message: ProtobufReader) throws(TokenizerError) {
      var message = message
      var name = ""
      while let field = try message.next() {
        switch field.number {
        case 1: name = String(decoding: message.bytes[try field.range()], as: UTF8.self)
        case 2:
          guard try field.range().isEmpty else {
            throw .unsupported("the map of characters '\(name)'", at: "normalizer_spec.precompiled_charsmap")
          }
        case 3: addsPrefix = try field.boolean()
        case 4: collapsesSpaces = try field.boolean()
        case 5: marksSpaces = try field.boolean()
        default: break
        }
      }
    }
  }
}
