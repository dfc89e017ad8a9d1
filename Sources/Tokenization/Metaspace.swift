/// Spaces become a visible character, which may also be put before the text; words start at that character.
struct Metaspace: Sendable {
  enum Prepends: Sendable { case always, first, never }

  let replacement: [UInt8]
  let prepends: Prepends
  private let splits: Bool

  /// `add_prefix_space` is the older spelling: false means `never`, and may not stand beside another `prepend_scheme`.
  init(parsing section: FileSection) throws(TokenizerError) {
    try section.allowOnly("type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split")
    let schemeSection = section.member("prepend_scheme")
    let addsPrefixSpace = try section.boolean("add_prefix_space", absent: true)
    let scheme = try schemeSection?.string() ?? (addsPrefixSpace ? "always" : "never")
    switch scheme {
    case "always": prepends = .always
    case "first": prepends = .first
    case "never": prepends = .never
    default: throw section.unsupported("the prepend_scheme '\(scheme)'")
    }
    if !addsPrefixSpace, prepends != .never {
      throw section.malformed("add_prefix_space false contradicts prepend_scheme '\(scheme)'")
    }
    replacement = Array(String(try section.required("replacement").scalar()).utf8)
    splits = try section.boolean("split", absent: true)
  }

  func split(_ pieces: SplitText, startsText: Bool) -> SplitText {
    let space = UInt8(ascii: " ")
    var replaced = SplitText(bytes: [], ends: [])
    replaced.bytes.reserveCapacity(pieces.bytes.count * 3 / 2)
    var start = 0
    for end in pieces.ends {
      for byte in pieces.bytes[start..<end] {
        if byte == space { replaced.bytes.append(contentsOf: replacement) } else { replaced.bytes.append(byte) }
      }
      replaced.ends.append(replaced.bytes.count)
      start = end
    }
    let prefixed = replaced.prefixing(with: replacement) { start in
      switch prepends {
      case .always: true
      case .first: startsText && start == 0
      case .never: false
      }
    }
    return splits ? cuttingAtReplacement(prefixed) : prefixed
  }

  private func cuttingAtReplacement(_ text: SplitText) -> SplitText {
    var cut = SplitText(bytes: text.bytes, ends: [])
    var start = 0
    for end in text.ends {
      for position in start..<end
      where position > start && text.bytes[position] == replacement[0] && text.bytes.contains(replacement, at: position)
      {
        cut.ends.append(position)
      }
      cut.ends.append(end)
      start = end
    }
    return cut
  }
}
