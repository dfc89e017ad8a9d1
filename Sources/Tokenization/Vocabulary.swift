internal import Checkpoints

/// The model's tokens: bytes to id and back.
///
/// Keyed by bytes: `String` compares by canonical equivalence and would merge tokens that differ only in composition.
struct Vocabulary: Sendable {
  private var ids: [[UInt8]: Int32] = [:]
  private var tokens: [[UInt8]?] = []

  var count: Int { ids.count }

  /// One more than the largest id.
  var size: Int { tokens.count }

  init(parsing section: FileSection) throws(TokenizerError) {
    guard let members = section.json.members else { throw section.malformed("should be an object of ids") }
    ids.reserveCapacity(members.count)
    for member in members {
      let entry = FileSection(json: member.value, location: "\(section.location)[\"\(member.key)\"]")
      let id = try entry.tokenID()
      let token = Array(member.key.utf8)
      while tokens.count <= id { tokens.append(nil) }
      guard tokens[Int(id)] == nil else { throw entry.malformed("the id \(id) belongs to another token too") }
      tokens[Int(id)] = token
      ids[token] = id
    }
  }

  /// Tokens in the order of their ids. An empty one has an id but is never found; of equal ones the last is found, as
  /// in llama.cpp.
  init(tokens texts: [String]) {
    tokens = texts.map { Array($0.utf8) }
    ids.reserveCapacity(tokens.count)
    for (id, token) in zip(Int32(0)..., tokens.compactMap(\.self)) where !token.isEmpty { ids[token] = id }
  }

  func id(of token: [UInt8]) -> Int32? { ids[token] }

  func token(of id: Int32) -> [UInt8]? {
    tokens.indices.contains(Int(id)) ? tokens[Int(id)] : nil
  }

  /// Ids of the tokens that are one character: where byte-pair encoding starts.
  func characterIDs() -> [Unicode.Scalar: Int32] {
    var characters: [Unicode.Scalar: Int32] = [:]
    for (token, id) in ids {
      let scalars = String(decoding: token, as: UTF8.self).unicodeScalars
      if let scalar = scalars.first, scalars.count == 1 { characters[scalar] = id }
    }
    return characters
  }
}
