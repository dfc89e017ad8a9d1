/// Tokens that are found in the text as they stand, before anything else is done to it.
///
/// As Hugging Face tokenizers does (tokenizer/added_vocabulary.rs): first those with `normalized` false in the given
/// text, then the others, themselves normalized, in each normalized piece that is left. The leftmost match wins, then
/// the longest.
struct AddedTokens: Sendable {
  struct Token: Sendable, Equatable {
    /// What is looked for in the text, and what decoding puts there: the content, normalized if `normalized`.
    let pattern: [UInt8]
    let id: Int32
    /// Only where no word character (`\w`) touches it.
    let singleWord: Bool
    /// Takes the white space before it along.
    let stripsLeft: Bool
    /// Takes the white space behind it along.
    let stripsRight: Bool
    let normalized: Bool
    let special: Bool

    /// Whether it is not found everywhere, or takes more than itself along.
    var hasConditions: Bool { singleWord || stripsLeft || stripsRight }

    init(
      pattern: [UInt8], id: Int32, singleWord: Bool = false, stripsLeft: Bool = false, stripsRight: Bool = false,
      normalized: Bool = false, special: Bool
    ) {
      self.pattern = pattern
      self.id = id
      self.singleWord = singleWord
      self.stripsLeft = stripsLeft
      self.stripsRight = stripsRight
      self.normalized = normalized
      self.special = special
    }
  }

  /// A stretch of text: an added token, or what lies between.
  struct Piece: Equatable {
    let range: Range<Int>
    let id: Int32?
  }

  private var tokens: [Token] = []
  /// What files beside the tokenizer's own say of tokens that its own does not.
  private(set) var declaredElsewhere: [Token] = []
  private var totalBytes = 0
  private var indices: [[UInt8]: Int] = [:]
  private var indicesByID: [Int32: Int] = [:]
  private var literalPatterns = TokenTrie()
  private var normalizedPatterns = TokenTrie()

  /// One more than the largest id; 0 when there are none.
  var size: Int { tokens.reduce(0) { max($0, Int($1.id) + 1) } }

  /// Tokens of the vocabulary, given with their content.
  init(_ added: [(content: [UInt8], token: Token)]) throws(TokenizerError) {
    for (content, token) in added where !content.isEmpty {
      indices[content] = tokens.count
      try append(token)
    }
    insertPatterns()
  }

  /// - Parameter files: The files beside the tokenizer's own, which may name more.
  init(
    parsing section: FileSection?, beside files: DeclaredTokens.Files, vocabulary: Vocabulary, normalizer: Normalizer
  ) throws(TokenizerError) {
    var largest: Int32?
    for entry in try section?.elements() ?? [] {
      try entry.allowOnly("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special")
      let content = try entry.required("content").bytes()
      guard !content.isEmpty else { continue }
      let id = try Self.id(for: content, entry, vocabulary: vocabulary, largest: largest)
      largest = max(largest ?? id, id)
      let normalized = try entry.required("normalized").boolean()
      let token = Token(
        pattern: normalized ? normalizer.normalize(content) : content,
        id: id,
        singleWord: try entry.boolean("single_word", absent: false),
        stripsLeft: try entry.boolean("lstrip", absent: false),
        stripsRight: try entry.boolean("rstrip", absent: false),
        normalized: normalized,
        special: try entry.required("special").boolean()
      )
      guard indices.updateValue(tokens.count, forKey: content) == nil else {
        throw entry.malformed("\"\(String(decoding: content, as: UTF8.self))\" is listed twice")
      }
      try append(token)
    }
    let declared = try DeclaredTokens(files, taken: Set(indicesByID.keys))
    for token in declared.redefined { try add(token, vocabulary, normalizer) }
    let known = Set(indices.keys)
    for token in declared.named where !known.contains(token.content) { try add(token, vocabulary, normalizer) }
    insertPatterns()
  }

  /// Adds a token that a file beside the tokenizer's own names, or gives one that is there what that file says of it.
  private mutating func add(
    _ declared: DeclaredTokens.Token, _ vocabulary: Vocabulary, _ normalizer: Normalizer
  ) throws(TokenizerError) {
    let content = declared.content
    guard !content.isEmpty else { return }
    let known = indices[content]
    let largest = tokens.lazy.map(\.id).max()
    let normalized = declared.normalized ?? !declared.special
    let token = Token(
      pattern: normalized ? normalizer.normalize(content) : content,
      id: known.map { tokens[$0].id } ?? Self.nextID(for: content, vocabulary, largest: largest),
      singleWord: declared.singleWord, stripsLeft: declared.stripsLeft, stripsRight: declared.stripsRight,
      normalized: normalized, special: declared.special)
    guard vocabulary.token(of: token.id).map({ $0 == content }) ?? true else {
      throw .malformed(
        "\"\(String(decoding: content, as: UTF8.self))\" would get the id \(token.id), which belongs to another token",
        at: "added tokens beside the file")
    }
    if let known, tokens[known] == token { return }
    declaredElsewhere.append(token)
    if let known {
      tokens[known] = token
    } else {
      indices[content] = tokens.count
      try append(token)
    }
  }

  /// Far more than any file has, in bytes: they bound the memory and the time that a hostile file can take.
  private static let longestPattern = 1 << 10
  private static let largestTotal = 1 << 20

  private mutating func append(_ token: Token) throws(TokenizerError) {
    totalBytes += token.pattern.count
    guard token.pattern.count <= Self.longestPattern, totalBytes <= Self.largestTotal else {
      throw .unsupported(
        "a token of more than \(Self.longestPattern) bytes or all of more than \(Self.largestTotal)", at: "added tokens"
      )
    }
    indicesByID[token.id] = tokens.count
    tokens.append(token)
  }

  /// Special tokens come first: where two normalize to the same pattern, the earlier one is found.
  private mutating func insertPatterns() {
    for index in tokens.indices where tokens[index].special { insertPattern(of: index) }
    for index in tokens.indices where !tokens[index].special { insertPattern(of: index) }
  }

  /// The file's id, which must be the one that Hugging Face tokenizers arrives at without looking at it: that of the
  /// same token in the vocabulary, or else the next free one. Elsewhere its ids and the file's would differ.
  private static func id(
    for content: [UInt8], _ entry: FileSection, vocabulary: Vocabulary, largest: Int32?
  ) throws(TokenizerError) -> Int32 {
    let id = try entry.required("id").tokenID()
    let expected = nextID(for: content, vocabulary, largest: largest)
    guard id == expected else {
      throw entry.malformed("the id should be \(expected), by the vocabulary and the tokens before, but is \(id)")
    }
    guard vocabulary.token(of: id).map({ $0 == content }) ?? true else {
      throw entry.malformed("the id \(id) belongs to another token too")
    }
    return id
  }

  /// The id of the same token in the vocabulary, or else the next free one.
  ///
  /// - Parameter largest: Of the tokens before.
  private static func nextID(for content: [UInt8], _ vocabulary: Vocabulary, largest: Int32?) -> Int32 {
    vocabulary.id(of: content) ?? max(Int32(vocabulary.count), (largest ?? -1) + 1)
  }

  private mutating func insertPattern(of index: Int) {
    if tokens[index].normalized {
      normalizedPatterns.insert(tokens[index].pattern, index)
    } else {
      literalPatterns.insert(tokens[index].pattern, index)
    }
  }

  /// All of them with their contents, by id.
  var all: [(content: [UInt8], token: Token)] {
    indices.map { ($0.key, tokens[$0.value]) }.sorted { $0.token.id < $1.token.id }
  }

  func id(of token: [UInt8]) -> Int32? { indices[token].map { tokens[$0].id } }

  func token(of id: Int32) -> Token? { indicesByID[id].map { tokens[$0] } }

  /// `text` cut at the tokens that are looked for before normalization.
  func splitLiteral(_ text: [UInt8]) -> [Piece] { split(text, by: literalPatterns) }

  /// `text` cut at the tokens that are looked for after normalization.
  func splitNormalized(_ text: [UInt8]) -> [Piece] { split(text, by: normalizedPatterns) }

  private func split(_ text: [UInt8], by patterns: TokenTrie) -> [Piece] {
    var pieces: [Piece] = []
    var covered = 0
    var position = 0
    while let match = patterns.firstMatch(in: text, from: position) {
      // Stripping moves the edges of the piece, not the place where the search goes on.
      position = match.range.upperBound
      let token = tokens[match.token]
      if token.singleWord, Self.touchesWord(match.range, in: text) { continue }
      var (start, end) = (match.range.lowerBound, match.range.upperBound)
      if token.stripsLeft { start = max(Self.spaceStart(before: start, in: text), covered) }
      if token.stripsRight { end = Self.spaceEnd(from: end, in: text) }
      if covered < start { pieces.append(Piece(range: covered..<start, id: nil)) }
      pieces.append(Piece(range: min(start, end)..<end, id: token.id))
      covered = end
    }
    if covered < text.count { pieces.append(Piece(range: covered..<text.count, id: nil)) }
    return pieces
  }

  private static func touchesWord(_ range: Range<Int>, in text: [UInt8]) -> Bool {
    range.lowerBound > 0 && text.scalar(before: range.lowerBound).scalar.isWordCharacter
      || range.upperBound < text.count && text.scalar(at: range.upperBound).scalar.isWordCharacter
  }

  private static func spaceStart(before index: Int, in text: [UInt8]) -> Int {
    var index = index
    while index > 0 {
      let (scalar, start) = text.scalar(before: index)
      guard scalar.properties.isWhitespace else { break }
      index = start
    }
    return index
  }

  private static func spaceEnd(from index: Int, in text: [UInt8]) -> Int {
    var index = index
    while index < text.count {
      let (scalar, end) = text.scalar(at: index)
      guard scalar.properties.isWhitespace else { break }
      index = end
    }
    return index
  }
}
