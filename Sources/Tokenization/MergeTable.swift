internal import Checkpoints

/// The merges of byte-pair encoding: which adjacent symbols join, in which order of preference, into what.
struct MergeTable: Sendable {
  struct Merge: Sendable {
    /// Position in the file: lower ranks merge first.
    let rank: UInt32
    let result: Int32
  }

  private var merges: [UInt64: Merge] = [:]

  /// Whether no merge joins a token that ends in anything else with one that starts with U+2581 (▁).
  ///
  /// Then the text before a ▁ and the text from it on can be encoded separately.
  private(set) var respectsWordStarts = true

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  subscript(left: Int32, right: Int32) -> Merge? { merges[Self.key(left, right)] }

  /// Reads merges written as `"a b"` or as `["a", "b"]`. Of a pair given twice the later rank holds, as in
  /// Hugging Face tokenizers.
  init(parsing section: FileSection, vocabulary: Vocabulary) throws(TokenizerError) {
    let entries = try section.elements()
    merges.reserveCapacity(entries.count)
    var rank: UInt32 = 0
    for entry in entries {
      guard let (left, right) = try Self.pair(entry) else { continue }
      let leftID = try Self.id(of: left, in: vocabulary, entry)
      let rightID = try Self.id(of: right, in: vocabulary, entry)
      let result = try Self.id(of: left + right, in: vocabulary, entry)
      insert(left[...], leftID, right[...], rightID, Merge(rank: rank, result: result))
      rank += 1
    }
  }

  /// SentencePiece's merges: any two adjacent symbols that make a piece, of the highest score first.
  ///
  /// Pieces of equal score share a rank, so that of these the leftmost merges first. `pieces` are the ids that merging
  /// may arrive at, `found` those that are cut out of a text before anything is merged.
  init(
    pieces: [Int32], found: Set<Int32> = [], scores: [Float], vocabulary: Vocabulary
  ) throws(TokenizerError) {
    let descending = Set(pieces.map { scores[Int($0)] }).sorted(by: >)
    let ranks = Dictionary(uniqueKeysWithValues: zip(descending, UInt32(0)...))
    let allowed = Set(pieces)
    for id in pieces {
      guard let piece = vocabulary.token(of: id), let rank = ranks[scores[Int(id)]] else { continue }
      guard piece.count <= Self.longestPiece else {
        throw .malformed("the piece \(id) has \(piece.count) bytes, more than \(Self.longestPiece)", at: "pieces")
      }
      for cut in piece.indices.dropFirst() where piece[cut] & 0xC0 != 0x80 {
        let (left, right) = (piece[..<cut], piece[cut...])
        let sides = [left, right].map { vocabulary.id(of: Array($0)) }
        // Merging never meets what is cut out before.
        if sides.contains(where: { $0.map(found.contains) == true }) { continue }
        let leftID = sides[0].flatMap { allowed.contains($0) ? $0 : nil }
        let rightID = sides[1].flatMap { allowed.contains($0) ? $0 : nil }
        guard let leftID, let rightID else {
          // SentencePiece would merge a character that has no piece; here symbols are pieces.
          if leftID != nil || Self.isCharacter(left), rightID != nil || Self.isCharacter(right) {
            throw .unsupported("the piece \(id), of which a character is no piece itself,", at: "pieces")
          }
          continue
        }
        insert(left, leftID, right, rightID, Merge(rank: rank, result: id))
      }
    }
  }

  /// The pairs that merge into a token.
  func ways(to id: Int32, _ vocabulary: Vocabulary) -> [(left: Int32, right: Int32)] {
    guard let token = vocabulary.token(of: id) else { return [] }
    return token.indices.dropFirst().compactMap { cut in
      guard let left = vocabulary.id(of: Array(token[..<cut])), let right = vocabulary.id(of: Array(token[cut...])),
        self[left, right]?.result == id
      else { return nil }
      return (left, right)
    }
  }

  private static func isCharacter(_ text: ArraySlice<UInt8>) -> Bool {
    text.dropFirst().allSatisfy { $0 & 0xC0 == 0x80 }
  }

  /// Several times what any model has; it bounds the time that a hostile file can take.
  private static let longestPiece = 256

  private mutating func insert(
    _ left: ArraySlice<UInt8>, _ leftID: Int32, _ right: ArraySlice<UInt8>, _ rightID: Int32, _ merge: Merge
  ) {
    merges[Self.key(leftID, rightID)] = merge
    if right.starts(with: WordStart.bytes), !left.suffix(WordStart.bytes.count).elementsEqual(WordStart.bytes) {
      respectsWordStarts = false
    }
  }

  /// Nil for the header that merges.txt carries and old files kept.
  private static func pair(_ entry: FileSection) throws(TokenizerError) -> ([UInt8], [UInt8])? {
    if let parts = entry.json.array {
      guard parts.count == 2, let left = parts[0].string, let right = parts[1].string else {
        throw entry.malformed("a merge should be two tokens")
      }
      return (Array(left.utf8), Array(right.utf8))
    }
    let line = try entry.bytes()
    if line.starts(with: "#version".utf8) { return nil }
    let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw entry.malformed("a merge should be two tokens with one space between") }
    return (Array(parts[0]), Array(parts[1]))
  }

  private static func id(
    of token: [UInt8], in vocabulary: Vocabulary, _ entry: FileSection
  ) throws(TokenizerError) -> Int32 {
    guard let id = vocabulary.id(of: token) else {
      throw entry.malformed("the vocabulary lacks \"\(String(decoding: token, as: UTF8.self))\"")
    }
    return id
  }
}

/// U+2581 (▁), by which SentencePiece marks the start of a word.
enum WordStart {
  static let scalar: Unicode.Scalar = "\u{2581}"
  static let bytes: [UInt8] = [0xE2, 0x96, 0x81]
}
