internal import Checkpoints

/// Tokens that the files beside a tokenizer.json, or beside GPT-2's two files, name: what a fine-tune adds and often says
/// nowhere else.
///
/// In the order in which transformers adds them to those of the vocabulary: first the added tokens, by the ids that the
/// files claim, then what is named as the beginning, the end and so on, then further special tokens. The claimed ids
/// count for nothing else: a token that the vocabulary lacks gets the next free one. Source: transformers 5.24,
/// tokenization_utils_base.py (`_from_pretrained`) and tokenization_utils_tokenizers.py (`TokenizersBackend.__init__`).
struct DeclaredTokens {
  /// A token as a file describes it.
  struct Token: Equatable {
    let content: [UInt8]
    var singleWord = false
    var stripsLeft = false
    var stripsRight = false
    /// Nil where it is left out: special tokens are looked for in the text as it is, others in the normalized one.
    var normalized: Bool?
    var special: Bool
    /// Whether it is given by its content alone.
    var isText = false
  }

  /// The tokens of `added_tokens_decoder` or added_tokens.json, which hold even where the vocabulary's say otherwise.
  private(set) var redefined: [Token] = []
  /// Those that count only where neither the vocabulary nor `redefined` has an added token of that content.
  private(set) var named: [Token] = []

  /// The files, where they are there.
  struct Files {
    /// tokenizer_config.json
    var settings: FileSection?
    /// special_tokens_map.json
    var specialTokens: FileSection?
    /// added_tokens.json
    var added: FileSection?
  }

  private static let names = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map { $0 + "_token" }

  /// - Parameter taken: Ids of the vocabulary's own added tokens.
  init(_ files: Files, taken: Set<Int32>) throws(TokenizerError) {
    if let split = files.settings?.member("split_special_tokens"), try split.boolean() {
      throw split.unsupported("true, by which special tokens in a text are not found,")
    }
    let decoder = files.settings?.member("added_tokens_decoder")
    // The older files count only without it.
    let specials = decoder == nil ? files.specialTokens : nil
    let (further, later) = try Self.further(files.settings, specials)
    let standard = try Self.named(Self.names, [specials, files.settings])
    let ownNames = try Self.ownNames(files.settings) + Self.ownNames(specials)
    if let decoder {
      redefined = try Self.decoded(decoder)
    } else if let added = files.added {
      // Objects in tokenizer_config.json are not yet read as tokens when transformers looks for these here.
      let known =
        try Self.named(Self.names, [specials]) + Self.list(specials?.member("extra_special_tokens"))
        + (standard + further).filter(\.isText)
      redefined = try Self.added(added, special: Set(known.map(\.content)), taken: taken)
    }
    let allNames = Set((standard + ownNames).map(\.content))
    for index in redefined.indices where allNames.contains(redefined[index].content) { redefined[index].special = true }
    // Of a content that is named again in another way, the last counts.
    for token in standard + ownNames + further + later where !named.contains(token) { named.append(token) }
  }

  /// `added_tokens_decoder`: tokens by their ids.
  private static func decoded(_ section: FileSection) throws(TokenizerError) -> [Token] {
    guard let members = section.json.members else { throw section.malformed("should be an object") }
    var tokens: [(id: Int32, token: Token)] = []
    for member in members {
      let entry = FileSection(json: member.value, location: "\(section.location).\(member.key)")
      guard let id = Int32(member.key), (0..<Int32(FileSection.maximumIDCount)).contains(id) else {
        throw entry.malformed("the key should be a token id")
      }
      tokens.append((id, try token(entry, special: false)))
    }
    return tokens.sorted { $0.id < $1.id }.map(\.token)
  }

  /// added_tokens.json: ids by token. The vocabulary's own tokens of these ids stand in their place.
  private static func added(
    _ section: FileSection, special: Set<[UInt8]>, taken: Set<Int32>
  ) throws(TokenizerError) -> [Token] {
    guard let members = section.json.members else { throw section.malformed("should be an object") }
    var tokens: [(id: Int32, token: Token)] = []
    for member in members {
      let id = try FileSection(json: member.value, location: "\(section.location).\(member.key)").tokenID()
      guard !taken.contains(id) else { continue }
      // Of two tokens with one id, the last counts.
      tokens.removeAll { $0.id == id }
      let content = Array(member.key.utf8)
      let isSpecial = special.contains(content)
      tokens.append((id, Token(content: content, normalized: !isSpecial, special: isSpecial)))
    }
    return tokens.sorted { $0.id < $1.id }.map(\.token)
  }

  /// Special tokens without a name: `extra_special_tokens`, or `additional_special_tokens`, as it was called before. The
  /// latter counts where the former is no list, or an empty one: in tokenizer_config.json at once, elsewhere, and beside
  /// names of a model's own, only after added_tokens.json was read.
  private static func further(
    _ settings: FileSection?, _ specials: FileSection?
  ) throws(TokenizerError) -> (known: [Token], later: [Token]) {
    let (extra, more) = (settings?.member("extra_special_tokens"), specials?.member("extra_special_tokens"))
    let (old, older) = (settings?.member("additional_special_tokens"), specials?.member("additional_special_tokens"))
    let listed = try list(extra)
    let hasNames = extra?.json.members?.isEmpty == false
    let isConverted = listed.isEmpty && !hasNames && old != nil
    let known = isConverted ? try list(old) : listed
    let isTaken = isConverted || extra?.json.array != nil || more?.json.array != nil
    return (known + (try list(more)), isTaken ? [] : try list(older ?? (hasNames ? old : nil)))
  }

  private static func list(_ section: FileSection?) throws(TokenizerError) -> [Token] {
    guard let section, section.json.members == nil else { return [] }
    var tokens: [Token] = []
    for entry in try section.elements() { tokens.append(try token(entry, special: true)) }
    return tokens
  }

  /// The tokens that the first file with such a member names.
  private static func named(_ names: [String], _ files: [FileSection?]) throws(TokenizerError) -> [Token] {
    var tokens: [Token] = []
    for name in names {
      guard let entry = files.lazy.compactMap({ $0?.member(name) }).first else { continue }
      var token = try token(entry, special: true)
      token.special = true
      tokens.append(token)
    }
    return tokens
  }

  /// Special tokens under names of a model's own: `image_token`, or a member of `extra_special_tokens`.
  private static func ownNames(_ file: FileSection?) throws(TokenizerError) -> [Token] {
    guard let file else { return [] }
    var tokens: [Token] = []
    for member in file.json.members ?? [] where member.key.hasSuffix("_token") && !names.contains(member.key) {
      guard let content = member.value.string else { continue }
      tokens.append(Token(content: Array(content.utf8), special: true, isText: true))
    }
    guard let further = file.member("extra_special_tokens") else { return tokens }
    for member in further.json.members ?? [] {
      let entry = FileSection(json: member.value, location: "\(further.location).\(member.key)")
      tokens.append(try token(entry, special: true))
    }
    return tokens
  }

  /// A token that is given by its content, or by an object with it.
  private static func token(_ entry: FileSection, special: Bool) throws(TokenizerError) -> Token {
    if let content = entry.json.string { return Token(content: Array(content.utf8), special: special, isText: true) }
    return Token(
      content: try entry.required("content").bytes(), singleWord: try entry.boolean("single_word", absent: false),
      stripsLeft: try entry.boolean("lstrip", absent: false), stripsRight: try entry.boolean("rstrip", absent: false),
      normalized: try entry.member("normalized")?.boolean(), special: try entry.boolean("special", absent: special))
  }
}
