internal import Checkpoints

extension GGUFVocabulary {
  /// Which tokens begin, end and pad a text, and how a chat is written, as a folder's files say it.
  ///
  /// A token that tokenizer_config.json names comes before the id that config.json gives: a fine-tune to chats changes
  /// the former. Where the end that the tokenizer puts behind a text is another than the named one, the latter ends a
  /// turn. Source: gguf-py 0.19, vocab.py (`SpecialVocab`).
  ///
  /// - Parameters:
  ///   - settings: tokenizer_config.json.
  ///   - chatTemplate: chat_template.jinja, which holds where tokenizer_config.json has none.
  mutating func readSpecialTokens(
    of tokenizer: Tokenizer, settings: FileSection?, configuration: Configuration, chatTemplate: String?
  ) throws(TokenizerError) {
    func named(_ type: String) throws(TokenizerError) -> Int? {
      guard let entry = settings?.member("\(type)_token") else { return nil }
      let content = entry.json.string ?? entry.json["content"]?.string
      return content.flatMap { tokenizer.id(of: $0) }.map { Int($0) }
    }
    func configured(_ type: String) -> Int? {
      let value = configuration["\(type)_token_id"]
      let id = value?.integer ?? value?.array?.first?.integer
      return id.flatMap { tokens.indices.contains($0) ? $0 : nil }
    }
    func id(_ type: String, or other: String? = nil) throws(TokenizerError) -> Int? {
      for name in [type, other].compactMap(\.self) { if let id = try named(name) { return id } }
      return configured(type)
    }
    let (beginning, end) = (try id("bos", or: "cls"), try id("eos", or: "sep"))
    if let end, let endToken, end != endToken { further["eot_token_id"] = .uint32(UInt32(end)) }
    // What the tokenizer puts around a text is what llama.cpp is to put there.
    beginningToken = beginningToken ?? beginning
    endToken = endToken ?? end
    for (type, key) in [("unk", "unknown"), ("sep", "seperator"), ("pad", "padding"), ("mask", "mask")] {
      if let id = try id(type) { further["\(key)_token_id"] = .uint32(UInt32(id)) }
    }
    try readChatTemplates(settings?.member("chat_template"), or: chatTemplate)
  }

  /// One template, or several with names, of which "default" is the one that counts where none is asked for.
  private mutating func readChatTemplates(_ section: FileSection?, or file: String?) throws(TokenizerError) {
    guard let section, section.json.array != nil else {
      if let template = section?.json.string ?? file { chatTemplates["default"] = template }
      return
    }
    for entry in try section.elements() {
      let name = try entry.required("name").string().unicodeScalars.map { scalar in
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
          ? String(scalar) : "_"
      }
      chatTemplates[name.joined()] = try entry.required("template").string()
    }
  }

  /// The metadata of these: `tokenizer.ggml.…` and `tokenizer.chat_template…`.
  var specialTokenMetadata: [GGUFFile.Member] {
    var members = further.sorted { $0.key < $1.key }.map {
      GGUFFile.Member(key: "tokenizer.ggml.\($0.key)", value: $0.value)
    }
    if let template = chatTemplates["default"] {
      members.append(.init(key: "tokenizer.chat_template", value: .string(template)))
    }
    let others = chatTemplates.filter { $0.key != "default" }.sorted { $0.key < $1.key }
    if !others.isEmpty {
      members.append(.init(key: "tokenizer.chat_templates", value: .strings(others.map(\.key))))
    }
    return members + others.map { .init(key: "tokenizer.chat_template.\($0.key)", value: .string($0.value)) }
  }
}
