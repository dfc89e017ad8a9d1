internal import Checkpoints

extension AddedTokens {
  /// Tokens that tokenizer_config.json (`added_tokens_decoder`) or else added_tokens.json give the ids from `count` on.
  static func beyondModel(
    settings: FileSection?, added: FileSection?, count: Int
  ) throws(TokenizerError) -> [(content: [UInt8], token: Token)] {
    var tokens: [(content: [UInt8], token: Token)] = []
    if let decoder = settings?.member("added_tokens_decoder") {
      guard let members = decoder.json.members else { throw decoder.malformed("should be an object") }
      for member in members {
        let entry = FileSection(json: member.value, location: "\(decoder.location).\(member.key)")
        guard let id = Int32(member.key), (0..<Int32(FileSection.maximumIDCount)).contains(id) else {
          throw entry.malformed("the key should be a token id")
        }
        guard id >= count else { continue }
        let content = try entry.required("content").bytes()
        tokens.append(
          (
            content,
            Token(
              pattern: content, id: id,
              singleWord: try entry.boolean("single_word", absent: false),
              stripsLeft: try entry.boolean("lstrip", absent: false),
              stripsRight: try entry.boolean("rstrip", absent: false),
              special: try entry.boolean("special", absent: false))
          ))
      }
    } else if let added {
      guard let members = added.json.members else { throw added.malformed("should be an object") }
      for member in members {
        let entry = FileSection(json: member.value, location: "\(added.location).\(member.key)")
        let id = try entry.tokenID()
        guard id >= count else { continue }
        let content = Array(member.key.utf8)
        tokens.append((content, Token(pattern: content, id: id, special: false)))
      }
    }
    return tokens
  }
}
