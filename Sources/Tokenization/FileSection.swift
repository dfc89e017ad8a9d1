internal import Checkpoints

/// A value of tokenizer.json together with its path in the file, so that every error can say where it is.
struct FileSection {
  /// Ids must stay below this. Eight times the largest vocabulary in use; it bounds what a hostile file can make us
  /// allocate.
  static let maximumIDCount = 1 << 21

  /// Steps of a normalizer, a pre-tokenizer or a decoder: each goes over the whole text.
  static let maximumStepCount = 32

  let json: JSON
  let location: String

  func unsupported(_ what: String) -> TokenizerError { .unsupported(what, at: location) }

  func malformed(_ problem: String) -> TokenizerError { .malformed(problem, at: location) }

  private func place(of key: String) -> String { location.isEmpty ? key : "\(location).\(key)" }

  /// The member `key`; nil when it is absent or null, which the format treats alike.
  func member(_ key: String) -> FileSection? {
    guard let value = json[key], !value.isNull else { return nil }
    return FileSection(json: value, location: place(of: key))
  }

  func required(_ key: String) throws(TokenizerError) -> FileSection {
    guard let section = member(key) else { throw malformed("'\(key)' is missing") }
    return section
  }

  /// Refuses members that this module does not know: any of them might change the ids.
  func allowOnly(_ keys: String...) throws(TokenizerError) {
    guard let members = json.members else { throw malformed("should be an object") }
    for member in members where !keys.contains(where: { $0.utf8.elementsEqual(member.key.utf8) }) {
      throw unsupported("the option '\(member.key)'")
    }
  }

  func elements() throws(TokenizerError) -> [FileSection] {
    guard let array = json.array else { throw malformed("should be an array") }
    return array.enumerated().map { FileSection(json: $1, location: "\(location)[\($0)]") }
  }

  func string() throws(TokenizerError) -> String {
    guard let string = json.string else { throw malformed("should be a string") }
    return string
  }

  func bytes() throws(TokenizerError) -> [UInt8] { Array(try string().utf8) }

  func boolean() throws(TokenizerError) -> Bool {
    guard let boolean = json.boolean else { throw malformed("should be true or false") }
    return boolean
  }

  func scalar() throws(TokenizerError) -> Unicode.Scalar {
    let scalars = try string().unicodeScalars
    guard let scalar = scalars.first, scalars.count == 1 else { throw malformed("should be one character") }
    return scalar
  }

  func tokenID() throws(TokenizerError) -> Int32 {
    guard let id = json.integer else { throw malformed("should be a token id") }
    guard let id = Int32(exactly: id), (0..<Self.maximumIDCount).contains(Int(id)) else {
      throw malformed("the token id \(id) is outside 0..<\(Self.maximumIDCount)")
    }
    return id
  }

  /// The value of `type`, by which the format distinguishes its variants.
  func type() throws(TokenizerError) -> String { try required("type").string() }

  /// `key` as a truth value, or `absent` when the file leaves it out.
  func boolean(_ key: String, absent: Bool) throws(TokenizerError) -> Bool {
    try member(key)?.boolean() ?? absent
  }
}
