package import Checkpoints

extension GGUFVocabulary {
  /// The tokenizer.json that gives the ids of this vocabulary.
  ///
  /// Pieces with scores become merges as transformers makes them (convert_slow_tokenizer.py, `generate_merges`): every
  /// way to make a piece of two others, highest score first.
  package func tokenizerFile() throws(TokenizerError) -> JSON {
    let tokenizer = try Tokenizer(self)
    let isByteLevel = tokenizer.preTokenizer.isByteLevel
    let file = Self.object([
      ("version", .string("1.0")), ("truncation", .null), ("padding", .null),
      ("added_tokens", .array(addedTokens(tokenizer))),
      ("normalizer", isByteLevel ? .null : pieceNormalizer),
      ("pre_tokenizer", isByteLevel ? try Self.preTokenizer(namedPreTokenizer().steps) : .null),
      ("post_processor", postProcessor(tokenizer.postProcessor)),
      ("decoder", isByteLevel ? Self.byteLevel(usesPattern: true) : pieceDecoder),
      ("model", try fileModel(tokenizer, isByteLevel: isByteLevel)),
    ])
    // It is read as it will be by others.
    _ = try Tokenizer(parsing: file)
    return file
  }

  private static func object(_ members: [(String, JSON)]) -> JSON {
    .object(members.map { JSON.Member(key: $0, value: $1) })
  }

  private static func typed(_ type: String, _ members: [(String, JSON)] = []) -> JSON {
    object([("type", .string(type))] + members)
  }

  // MARK: Tokens

  /// Ids of the tokens that the file lists: not those that fill up the embedding, and of equal ones the last, which is
  /// the one that is found.
  private func listedIDs(_ tokenizer: Tokenizer) -> [Int] {
    let unused = PieceVocabulary.Kind.unused.rawValue
    let filled = (tokenTypes?.lastIndex { $0 != unused } ?? tokens.count - 1) + 1
    return (0..<filled).filter { tokenizer.model.vocabulary.id(of: Array(tokens[$0].utf8)) == Int32($0) }
  }

  private func addedTokens(_ tokenizer: Tokenizer) -> [JSON] {
    listedIDs(tokenizer).compactMap { id in
      guard let kind = tokenTypes.flatMap({ PieceVocabulary.Kind(rawValue: $0[id]) }),
        [.unknown, .control, .userDefined].contains(kind)
      else { return nil }
      let flags = ["single_word", "lstrip", "rstrip", "normalized"].map { ($0, JSON.boolean(false)) }
      return Self.object(
        [("id", .integer(id)), ("content", .string(tokens[id]))] + flags + [("special", .boolean(kind != .userDefined))]
      )
    }
  }

  private func fileModel(_ tokenizer: Tokenizer, isByteLevel: Bool) throws(TokenizerError) -> JSON {
    let unknown = tokenTypes?.firstIndex(of: PieceVocabulary.Kind.unknown.rawValue).map { JSON.string(tokens[$0]) }
    let merges = isByteLevel ? try bytePairMerges() : try pieceMerges(tokenizer)
    return Self.typed(
      "BPE",
      [
        ("dropout", .null), ("unk_token", isByteLevel ? .null : unknown ?? .null),
        ("continuing_subword_prefix", .null), ("end_of_word_suffix", .null), ("fuse_unk", .boolean(!isByteLevel)),
        ("byte_fallback", .boolean(!isByteLevel)), ("ignore_merges", .boolean(tokenizer.model.ignoresMerges)),
        ("vocab", Self.object(listedIDs(tokenizer).map { (tokens[$0], .integer($0)) })),
        ("merges", .array(merges.map { .array([.string($0.left), .string($0.right)]) })),
      ])
  }

  // MARK: Merges

  private func bytePairMerges() throws(TokenizerError) -> [(left: String, right: String)] {
    var result: [(left: String, right: String)] = []
    for merge in merges ?? [] where !merge.utf8.starts(with: "#version".utf8) {
      let parts = merge.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw .malformed("a merge is not two tokens", at: "tokenizer.ggml.merges") }
      result.append(
        (String(decoding: Array(parts[0]), as: UTF8.self), String(decoding: Array(parts[1]), as: UTF8.self)))
    }
    return result
  }

  private func pieceMerges(_ tokenizer: Tokenizer) throws(TokenizerError) -> [(left: String, right: String)] {
    let scores = scores ?? []
    var ways: [(piece: Int, left: Int32, right: Int32, score: Float, lengths: (Int, Int))] = []
    for piece in tokens.indices {
      let made = tokenizer.model.merges.ways(to: Int32(piece), tokenizer.model.vocabulary).sorted {
        ($0.left, $0.right) < ($1.left, $1.right)
      }
      for (left, right) in made {
        let lengths = (tokens[Int(left)].unicodeScalars.count, tokens[Int(right)].unicodeScalars.count)
        ways.append((piece, left, right, scores[piece], lengths))
      }
    }
    let order = ways.indices.sorted { a, b in
      let (first, second) = (ways[a], ways[b])
      if first.score != second.score { return first.score > second.score }
      if first.lengths != second.lengths { return first.lengths > second.lengths }
      return a < b
    }
    return order.map { (tokens[Int(ways[$0].left)], tokens[Int(ways[$0].right)]) }
  }

  // MARK: Steps

  private static func preTokenizer(_ steps: [GGUFPreTokenizer.Step]) -> JSON {
    // GPT-2's pattern is ByteLevel's own.
    let usesPattern = steps.last == .gpt2
    let sections = (usesPattern ? steps.dropLast() : steps[...]).map { step in
      switch step {
      case .digits(let individually): typed("Digits", [("individual_digits", .boolean(individually))])
      case .isolating(let expression):
        typed(
          "Split",
          [
            ("pattern", object([("Regex", .string(expression))])), ("behavior", .string("Isolated")),
            ("invert", .boolean(false)),
          ])
      }
    }
    let last = byteLevel(usesPattern: usesPattern)
    return sections.isEmpty ? last : typed("Sequence", [("pretokenizers", .array(sections + [last]))])
  }

  private static func byteLevel(usesPattern: Bool) -> JSON {
    typed(
      "ByteLevel",
      [("add_prefix_space", .boolean(false)), ("trim_offsets", .boolean(true)), ("use_regex", .boolean(usesPattern))])
  }

  private static let mark = String(WordStart.scalar)

  private static func replacement(_ old: String, by new: String) -> JSON {
    typed("Replace", [("pattern", object([("String", .string(old))])), ("content", .string(new))])
  }

  private var pieceNormalizer: JSON {
    let prefix = addsSpacePrefix ?? true ? [Self.typed("Prepend", [("prepend", .string(Self.mark))])] : []
    return Self.typed("Sequence", [("normalizers", .array(prefix + [Self.replacement(" ", by: Self.mark)]))])
  }

  private var pieceDecoder: JSON {
    let strip = Self.typed("Strip", [("content", .string(" ")), ("start", .integer(1)), ("stop", .integer(0))])
    let steps = [Self.replacement(Self.mark, by: " "), Self.typed("ByteFallback"), Self.typed("Fuse")]
    return Self.typed("Sequence", [("decoders", .array(steps + (addsSpacePrefix ?? true ? [strip] : [])))])
  }

  private func postProcessor(_ processor: PostProcessor) -> JSON {
    let ids = processor.before + processor.after
    guard !ids.isEmpty else { return .null }
    func special(_ id: Int32, _ type: Int) -> JSON {
      Self.object([
        ("SpecialToken", Self.object([("id", .string(tokens[Int(id)])), ("type_id", .integer(type))]))
      ])
    }
    func template(_ texts: [String]) -> JSON {
      .array(
        texts.enumerated().flatMap { type, text in
          processor.before.map { special($0, type) }
            + [Self.object([("Sequence", Self.object([("id", .string(text)), ("type_id", .integer(type))]))])]
            + processor.after.map { special($0, type) }
        })
    }
    var listed: [(String, JSON)] = []
    for id in ids where !listed.contains(where: { $0.0.utf8.elementsEqual(tokens[Int(id)].utf8) }) {
      let text = JSON.string(tokens[Int(id)])
      listed.append(
        (
          tokens[Int(id)],
          Self.object([("id", text), ("ids", .array([.integer(Int(id))])), ("tokens", .array([text]))])
        ))
    }
    return Self.typed(
      "TemplateProcessing",
      [("single", template(["A"])), ("pair", template(["A", "B"])), ("special_tokens", Self.object(listed))])
  }
}
