/// The cutting of a text into words, within which byte-pair encoding works.
///
/// Any number of `Digits` followed by at most one of `ByteLevel` and `Metaspace`.
struct PreTokenizer: Sendable {
  private enum Words: Sendable {
    case whole
    case byteLevel(addsPrefixSpace: Bool, usesPattern: Bool)
    case metaspace(Metaspace)
  }

  /// For each `Digits`, whether every digit is a piece of its own.
  private var digits: [Bool] = []
  private var words = Words.whole

  /// Whether the words are to be spelled in `ByteLevelAlphabet`.
  var isByteLevel: Bool { if case .byteLevel = words { true } else { false } }

  /// Whether words depend on standing at the start of the text.
  var dependsOnTextStart: Bool {
    if case .metaspace(let metaspace) = words { metaspace.prepends == .first } else { false }
  }

  init(parsing section: FileSection?) throws(TokenizerError) {
    if let section { try add(section) }
  }

  private mutating func add(_ section: FileSection) throws(TokenizerError) {
    let type = try section.type()
    if type == "Sequence" {
      try section.allowOnly("type", "pretokenizers")
      for part in try section.required("pretokenizers").elements() { try add(part) }
      return
    }
    guard case .whole = words else { throw section.unsupported("the pre-tokenizer '\(type)' behind another one") }
    switch type {
    case "Digits":
      try section.allowOnly("type", "individual_digits")
      digits.append(try section.required("individual_digits").boolean())
    case "ByteLevel":
      try section.allowOnly("type", "add_prefix_space", "trim_offsets", "use_regex")
      words = .byteLevel(
        addsPrefixSpace: try section.required("add_prefix_space").boolean(),
        usesPattern: try section.boolean("use_regex", absent: true)
      )
    case "Metaspace":
      words = .metaspace(try Metaspace(parsing: section))
    default:
      throw section.unsupported("the pre-tokenizer '\(type)'")
    }
  }

  /// The words of `text`; `startsText` tells whether it is the first piece of the text given to the tokenizer.
  func split(_ text: [UInt8], startsText: Bool) -> SplitText {
    var pieces = SplitText(bytes: text, ends: text.isEmpty ? [] : [text.count])
    for individually in digits { pieces = pieces.cuttingDigits(individually: individually) }
    switch words {
    case .whole: return pieces
    case .byteLevel(let addsPrefixSpace, let usesPattern):
      if addsPrefixSpace { pieces = pieces.prefixing(with: [UInt8(ascii: " ")]) { _ in true } }
      return usesPattern ? pieces.cuttingByGPT2Pattern() : pieces
    case .metaspace(let metaspace): return metaspace.split(pieces, startsText: startsText)
    }
  }
}

/// A text cut into adjoining pieces, none of them empty.
struct SplitText: Equatable {
  var bytes: [UInt8]
  /// Where each piece ends; the next one starts there.
  var ends: [Int]

  fileprivate func cuttingDigits(individually: Bool) -> SplitText {
    var cut = SplitText(bytes: bytes, ends: [])
    var start = 0
    for end in ends {
      var position = start
      var previousIsDigit = false
      while position < end {
        let (scalar, next) = bytes.scalar(at: position)
        let isDigit = scalar.isNumeric
        if position > start, isDigit != previousIsDigit || isDigit && individually { cut.ends.append(position) }
        previousIsDigit = isDigit
        position = next
      }
      cut.ends.append(end)
      start = end
    }
    return cut
  }

  fileprivate func cuttingByGPT2Pattern() -> SplitText {
    var cut = SplitText(bytes: bytes, ends: [])
    cut.ends.reserveCapacity(bytes.count / 4)
    var position = 0
    for end in ends {
      while position < end {
        position = GPT2Pattern.matchEnd(in: bytes, from: position, to: end)
        cut.ends.append(position)
      }
    }
    return cut
  }

  /// Puts `prefix` before each piece that lacks it and for which `applies(start)` holds.
  fileprivate func prefixing(with prefix: [UInt8], where applies: (Int) -> Bool) -> SplitText {
    var result = SplitText(bytes: [], ends: [])
    result.bytes.reserveCapacity(bytes.count + prefix.count)
    var start = 0
    for end in ends {
      if applies(start), !(bytes.contains(prefix, at: start) && start + prefix.count <= end) {
        result.bytes.append(contentsOf: prefix)
      }
      result.bytes.append(contentsOf: bytes[start..<end])
      result.ends.append(result.bytes.count)
      start = end
    }
    return result
  }
}

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

  fileprivate func split(_ pieces: SplitText, startsText: Bool) -> SplitText {
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
