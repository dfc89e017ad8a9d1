/// The special tokens put around an encoded text.
///
/// `TemplateProcessing` with its `single` template, `RobertaProcessing`, `BertProcessing`; `ByteLevel` only moves
/// offsets, so it does nothing here. Templates for pairs of texts are not read.
struct PostProcessor: Sendable {
  /// In files of use there are one or two.
  private static let largestCount = 256

  private(set) var before: [Int32] = []
  private(set) var after: [Int32] = []

  init(before: [Int32] = [], after: [Int32] = []) {
    self.before = before
    self.after = after
  }

  init(parsing section: FileSection?) throws(TokenizerError) {
    if let section { try add(section) }
  }

  private mutating func add(_ section: FileSection) throws(TokenizerError) {
    let type = try section.type()
    switch type {
    case "ByteLevel":
      try section.allowOnly("type", "add_prefix_space", "trim_offsets", "use_regex")
      return
    case "Sequence":
      try section.allowOnly("type", "processors")
      for part in try section.required("processors").elements() { try add(part) }
      return
    default: break
    }
    guard before.isEmpty, after.isEmpty else {
      throw section.unsupported("the post-processor '\(type)' behind another one that adds tokens")
    }
    switch type {
    case "TemplateProcessing":
      try section.allowOnly("type", "single", "pair", "special_tokens")
      try addTemplate(section)
    case "RobertaProcessing", "BertProcessing":
      try section.allowOnly("type", "sep", "cls", "trim_offsets", "add_prefix_space")
      before = [try Self.tokenAndID(try section.required("cls"))]
      after = [try Self.tokenAndID(try section.required("sep"))]
    default:
      throw section.unsupported("the post-processor '\(type)'")
    }
  }

  private mutating func addTemplate(_ section: FileSection) throws(TokenizerError) {
    var hasText = false
    for piece in try section.required("single").elements() {
      try piece.allowOnly("SpecialToken", "Sequence")
      if let sequence = piece.member("Sequence") {
        guard try sequence.required("id").string() == "A", !hasText else {
          throw sequence.unsupported("a template that does not hold the text A exactly once")
        }
        hasText = true
      } else {
        let name = try piece.required("SpecialToken").required("id")
        let ids = try Self.ids(of: name, in: try section.required("special_tokens"))
        if hasText { after += ids } else { before += ids }
        guard before.count + after.count <= Self.largestCount else { throw section.unsupported("so long a template") }
      }
    }
    guard hasText else { throw section.unsupported("a template that does not hold the text A exactly once") }
  }

  private static func ids(of name: FileSection, in tokens: FileSection) throws(TokenizerError) -> [Int32] {
    guard let token = tokens.member(try name.string()) else {
      throw name.malformed("special_tokens has no such entry")
    }
    var ids: [Int32] = []
    for id in try token.required("ids").elements() { ids.append(try id.tokenID()) }
    return ids
  }

  /// `["</s>", 2]`
  private static func tokenAndID(_ section: FileSection) throws(TokenizerError) -> Int32 {
    let parts = try section.elements()
    guard parts.count == 2 else { throw section.malformed("should be a token and its id") }
    return try parts[1].tokenID()
  }
}
