package import Checkpoints

extension GGUFVocabulary {
  /// What a GGUF file made of a Hugging Face folder carries: its tokenizer.json in llama.cpp's words.
  ///
  /// - Parameters:
  ///   - configuration: config.json, which names the tokens that end a text.
  ///   - rows: How many rows the embedding has. Ids beyond the tokenizer's become unused tokens.
  /// - Throws: `CheckpointError` for a tokenizer that llama.cpp has no name for.
  package init(folder: String, configuration: Configuration, rows: Int) throws(CheckpointError) {
    let file = try Configuration(path: folder + "/tokenizer.json")
    let files = try TokenizerFolder(folder)
    let tokenizer = try files.tokenizer()
    do throws(TokenizerError) {
      try self.init(FileSection(json: file.json, location: ""), tokenizer, rows: rows)
      try readSpecialTokens(
        of: tokenizer, settings: files.declared.settings, configuration: configuration,
        chatTemplate: files.chatTemplate)
      try compare(with: tokenizer)
    } catch {
      throw CheckpointError(.unsupported, file: file.file, "\(error)")
    }
  }

  private init(_ file: FileSection, _ tokenizer: Tokenizer, rows: Int) throws(TokenizerError) {
    guard tokenizer.vocabularySize <= rows, rows <= FileSection.maximumIDCount else {
      throw .malformed("has \(tokenizer.vocabularySize) tokens, but the model \(rows)", at: "model.vocab")
    }
    let processor = tokenizer.postProcessor
    guard processor.before.count <= 1, processor.after.count <= 1 else {
      throw .unsupported("more than one token before or after a text", at: "post_processor")
    }
    let merges = try file.required("model").required("merges").elements().compactMap(Self.merge)
    if tokenizer.preTokenizer.isByteLevel {
      try Self.allowNormalizers(file, ["NFC"])
      guard let steps = tokenizer.preTokenizer.ggufSteps,
        let name = GGUFPreTokenizer.name(of: steps, ignoresMerges: tokenizer.model.ignoresMerges)
      else {
        throw .unsupported("a pre-tokenizer that llama.cpp has no name for", at: "pre_tokenizer")
      }
      self.init(model: "gpt2", preTokenizer: name, tokens: [], merges: merges.map { "\($0.left) \($0.right)" })
    } else {
      guard tokenizer.model.fallsBackToBytes else {
        throw .unsupported("neither byte-level tokens nor a fallback to bytes", at: "model")
      }
      try Self.allowNormalizers(file, ["Prepend", "Replace"])
      self.init(model: "llama", preTokenizer: "default", tokens: [])
      try Self.refuseCuts(tokenizer, file, merges)
      // SentencePiece puts a space before a text, if any, and marks spaces.
      let marked = WordStart.bytes
      let probe = try tokenizer.preTokenizer.split(tokenizer.normalizer.normalize(Array("a b".utf8)), startsText: true)
        .bytes
      let plain = Array("a".utf8) + marked + Array("b".utf8)
      guard probe == plain || probe == marked + plain else {
        throw .unsupported("spaces that are not marked as SentencePiece marks them", at: "normalizer")
      }
      addsSpacePrefix = probe != plain
    }
    beginningToken = processor.before.first.map { Int($0) }
    endToken = processor.after.first.map { Int($0) }
    addsBeginning = !processor.before.isEmpty
    addsEnd = !processor.after.isEmpty
    try add(tokenizer, file, rows: rows)
    if model == "llama" { addScores(merges) }
  }

  /// llama.cpp cuts nothing before it merges pieces, so that none may be merged across a cut.
  private static func refuseCuts(
    _ tokenizer: Tokenizer, _ file: FileSection, _ merges: [(left: String, right: String)]
  ) throws(TokenizerError) {
    let place = file.member("pre_tokenizer")?.location ?? "pre_tokenizer"
    if tokenizer.preTokenizer.prependsToEveryCut {
      throw .unsupported("a space before every stretch that Digits or Split cuts, in GGUF,", at: place)
    }
    for (left, right) in merges where try tokenizer.preTokenizer.cutsWithin(Array((left + right).utf8)) {
      throw .unsupported(
        "a pre-tokenizer that cuts \"\(left + right)\", which is a piece that llama.cpp would merge,", at: place)
    }
  }

  private static func merge(_ entry: FileSection) -> (left: String, right: String)? {
    if let pair = entry.json.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string {
      return (left, right)
    }
    let words = (entry.json.string ?? "").split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    return words.count == 2 && words[0] != "#version:" ? (words[0], words[1]) : nil
  }

  /// llama.cpp does not normalize. NFC, which leaves nearly every text as it is, is let pass.
  private static func allowNormalizers(_ file: FileSection, _ allowed: [String]) throws(TokenizerError) {
    guard let normalizer = file.member("normalizer") else { return }
    let parts = try normalizer.type() == "Sequence" ? normalizer.required("normalizers").elements() : [normalizer]
    for part in parts where try !allowed.contains(part.type()) {
      throw .unsupported("the normalizer '\(try part.type())' in GGUF", at: part.location)
    }
  }

  private mutating func add(_ tokenizer: Tokenizer, _ file: FileSection, rows: Int) throws(TokenizerError) {
    var added: [Int: (content: String, isSpecial: Bool)] = [:]
    for (content, token) in tokenizer.addedTokens.all {
      added[Int(token.id)] = (String(decoding: content, as: UTF8.self), token.special)
    }
    let unknown = file.json["model"]?["unk_token"]?.string
    var types: [Int] = []
    for id in 0..<rows {
      let token = tokenizer.model.vocabulary.token(of: Int32(id)).map { String(decoding: $0, as: UTF8.self) }
      let kind: PieceVocabulary.Kind
      if let text = added[id]?.content ?? token {
        tokens.append(text)
        if text == unknown {
          kind = .unknown
        } else if let special = added[id]?.isSpecial {
          kind = special ? .control : .userDefined
        } else {
          kind = model == "llama" && Self.namesByte(text) ? .byte : .normal
        }
      } else {
        tokens.append("[PAD\(id)]")
        kind = .unused
      }
      types.append(kind.rawValue)
    }
    tokenTypes = types
  }

  private static func namesByte(_ text: String) -> Bool {
    text.utf8.count == 6 && text.hasPrefix("<0x") && text.hasSuffix(">")
      && UInt8(text.dropFirst(3).dropLast(), radix: 16) != nil
  }

  /// A piece that merging makes scores the higher the earlier its merge; what no merge makes comes last.
  private mutating func addScores(_ merges: [(left: String, right: String)]) {
    var ranks: [[UInt8]: Int] = [:]
    for (rank, merge) in merges.enumerated() {
      let piece = Array(merge.left.utf8) + Array(merge.right.utf8)
      if ranks[piece] == nil { ranks[piece] = rank }
    }
    scores = tokens.indices.map { id in
      tokenTypes?[id] == PieceVocabulary.Kind.normal.rawValue
        ? -Float(ranks[Array(tokens[id].utf8)] ?? merges.count + id) : 0
    }
  }

  // MARK: Metadata

  package var metadata: [GGUFFile.Member] {
    var members: [GGUFFile.Member] = []
    func set(_ key: String, _ value: GGUFValue?) {
      if let value { members.append(.init(key: "tokenizer.ggml.\(key)", value: value)) }
    }
    set("model", .string(model))
    set("pre", preTokenizer.map { .string($0) })
    set("tokens", .strings(tokens))
    set("scores", scores.map { .float32s($0) })
    set("token_type", tokenTypes.map { .int32s($0.map { Int32($0) }) })
    set("merges", merges.map { .strings($0) })
    set("bos_token_id", beginningToken.map { .uint32(UInt32($0)) })
    set("eos_token_id", endToken.map { .uint32(UInt32($0)) })
    if further["unknown_token_id"] == nil {
      let unknown = tokenTypes?.firstIndex(of: PieceVocabulary.Kind.unknown.rawValue)
      set("unknown_token_id", unknown.map { .uint32(UInt32($0)) })
    }
    set("add_bos_token", addsBeginning.map { .boolean($0) })
    set("add_eos_token", addsEnd.map { .boolean($0) })
    set("add_space_prefix", addsSpacePrefix.map { .boolean($0) })
    return members + specialTokenMetadata
  }
}
