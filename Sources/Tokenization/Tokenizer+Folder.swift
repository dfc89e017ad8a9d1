package import Checkpoints

extension Tokenizer {
  /// The tokenizer of a Hugging Face folder: from its tokenizer.json, or else its tokenizer.model, or else GPT-2's
  /// vocab.json and merges.txt. Of a GGUF file, or a folder that holds one and none of these: its vocabulary.
  package init(path: String) throws {
    guard let parts = try ggufModel(path) else {
      let folder = try TokenizerFolder(path)
      self = try folder.tokenizer()
      prefixToken = self.prefixToken(try folder.declared)
      return
    }
    do throws(TokenizerError) {
      self = try Tokenizer(GGUFVocabulary(parts))
      prefixToken = Self.prefixToken(parts)
    } catch {
      throw CheckpointError(.unsupported, file: path, "\(error)")
    }
  }

  /// Identifies a tokenizer by the files, or the metadata, that `init(path:)` reads.
  package static func fingerprint(path: String) throws -> Fingerprint {
    if let parts = try ggufModel(path) { return parts.fingerprint(ofKeys: "tokenizer.ggml.") }
    return try TokenizerFolder(path).fingerprint()
  }
}

/// The model whose metadata has the tokenizer; nil for a folder with files that describe one.
func ggufModel(_ path: String) throws(CheckpointError) -> GGUFParts? {
  guard isFolder(path) else { return try Checkpoint(path: path).gguf }
  guard try !TokenizerFolder.describesTokenizer(path) else { return nil }
  return (try? Checkpoint(path: path))?.gguf
}

/// The files of a folder that describe its tokenizer.
struct TokenizerFolder {
  private enum Kind { case json, sentencePiece, gpt2 }

  private let folder: String
  private let kind: Kind
  /// The vocabulary's.
  private let files: [MappedFile]
  /// Those beside them that name further tokens.
  private var others: [MappedFile] = []

  init(_ folder: String) throws(CheckpointError) {
    self.folder = folder
    if let file = try Self.file(folder, "tokenizer.json") {
      kind = .json
      files = [file]
    } else if let file = try Self.file(folder, "tokenizer.model") {
      kind = .sentencePiece
      files = [file]
    } else if let vocabulary = try Self.file(folder, "vocab.json"), let merges = try Self.file(folder, "merges.txt") {
      kind = .gpt2
      files = [vocabulary, merges]
    } else {
      throw CheckpointError(
        .notFound, file: folder, "has no tokenizer: neither tokenizer.json nor tokenizer.model lies there")
    }
    for name in [Self.settingsName, Self.specialTokensName, Self.addedTokensName] {
      if let file = try Self.file(folder, name) { others.append(file) }
    }
  }

  static func describesTokenizer(_ folder: String) throws(CheckpointError) -> Bool {
    for name in ["tokenizer.json", "tokenizer.model", "vocab.json"] where try file(folder, name) != nil { return true }
    return false
  }

  private static let settingsName = "tokenizer_config.json"
  private static let specialTokensName = "special_tokens_map.json"
  private static let addedTokensName = "added_tokens.json"

  /// Nil when there is no such file.
  private static func file(_ folder: String, _ name: String) throws(CheckpointError) -> MappedFile? {
    do {
      let file = try MappedFile(path: "\(folder)/\(name)")
      try file.refuseGitLFSPointer()
      return file
    } catch {
      guard error.code == .notFound else { throw error }
      return nil
    }
  }

  func tokenizer() throws(CheckpointError) -> Tokenizer {
    do throws(TokenizerError) {
      switch kind {
      case .json: return try Tokenizer(parsing: try json(of: files[0]), beside: declared)
      case .sentencePiece:
        return try Tokenizer(
          sentencePiece: files[0].withBytes { Array($0) }, settings: try section(Self.settingsName),
          added: try section(Self.addedTokensName))
      case .gpt2:
        return try Tokenizer(
          gpt2Vocabulary: try json(of: files[0]), merges: files[1].withBytes { String(decoding: $0, as: UTF8.self) },
          beside: declared)
      }
    } catch {
      throw CheckpointError(.unsupported, file: files[0].path, "\(error)")
    }
  }

  /// chat_template.jinja, if there is one.
  var chatTemplate: String? {
    get throws(TokenizerError) {
      guard let file = try? Self.file(folder, "chat_template.jinja") else { return nil }
      guard let text = file.withBytes({ String(validating: $0, as: UTF8.self) }) else {
        throw .malformed("is not UTF-8", at: "chat_template.jinja")
      }
      return text
    }
  }

  var declared: DeclaredTokens.Files {
    get throws(TokenizerError) {
      .init(
        settings: try section(Self.settingsName), specialTokens: try section(Self.specialTokensName),
        added: try section(Self.addedTokensName))
    }
  }

  /// Of the files beside a tokenizer.json, only the tokens that they add to it or describe otherwise: what else they
  /// say, a chat's template, changes no id.
  func fingerprint() throws(CheckpointError) -> Fingerprint {
    var fingerprint = Fingerprint()
    for file in files { file.withBytes { fingerprint.update($0) } }
    if kind == .json {
      for token in try tokenizer().addedTokens.declaredElsewhere { fingerprint.update("\(token)") }
    } else {
      for file in others { file.withBytes { fingerprint.update($0) } }
    }
    return fingerprint
  }

  private func section(_ name: String) throws(TokenizerError) -> FileSection? {
    guard let file = others.first(where: { $0.path.hasSuffix("/" + name) }) else { return nil }
    // These are Python's own files, the vocabularies are Rust's.
    return FileSection(json: try json(of: file, allowsNonFinite: true), location: name)
  }

  private func json(of file: MappedFile, allowsNonFinite: Bool = false) throws(TokenizerError) -> JSON {
    do throws(JSON.SyntaxError) {
      return try file.withBytes { bytes throws(JSON.SyntaxError) in
        try JSON(parsing: bytes, allowsNonFinite: allowsNonFinite)
      }
    } catch {
      throw .malformed(error.description, at: file.path)
    }
  }
}

extension Tokenizer {
  /// GPT-2's own files, which name neither pattern nor special tokens.
  init(
    gpt2Vocabulary json: JSON, merges: String, beside files: DeclaredTokens.Files
  ) throws(TokenizerError) {
    if let name = files.settings?.member("tokenizer_class"),
      !["GPT2Tokenizer", "GPT2TokenizerFast"].contains(try name.string())
    {
      throw name.unsupported("the class '\(try name.string())' without a tokenizer.json")
    }
    let vocabulary = try Vocabulary(parsing: FileSection(json: json, location: "vocab.json"))
    let lines = merges.utf8.split(separator: UInt8(ascii: "\n")).map {
      String(decoding: $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0, as: UTF8.self)
    }
    let table = try MergeTable(
      parsing: FileSection(json: .array(lines.map(JSON.string)), location: "merges.txt"), vocabulary: vocabulary)
    let end = "<|endoftext|>"
    let added = vocabulary.id(of: Array(end.utf8)).map { id in
      JSON.object([
        JSON.Member(key: "id", value: .integer(Int(id))), JSON.Member(key: "content", value: .string(end)),
        JSON.Member(key: "normalized", value: .boolean(false)), JSON.Member(key: "special", value: .boolean(true)),
      ])
    }
    self.init(
      addedTokens: try AddedTokens(
        parsing: FileSection(json: .array(added.map { [$0] } ?? []), location: "vocab.json"), beside: files,
        vocabulary: vocabulary, normalizer: Normalizer()),
      preTokenizer: PreTokenizer(byteLevelWords: [.gpt2]),
      model: BytePairModel(vocabulary: vocabulary, merges: table),
      postProcessor: PostProcessor(),
      decoder: .byteLevel
    )
  }
}
