/// The cutting of a text into words, within which byte-pair encoding works.
///
/// Any number of `Digits` and `Split` followed by at most one of `ByteLevel` and `Metaspace`.
struct PreTokenizer: Sendable {
  enum Cut: Sendable, Equatable {
    case digits(individually: Bool)
    case pattern(WordPattern)

    /// llama.cpp's pre-tokenizer "default".
    static let ggufDefault: [Cut] = [
      .pattern(.partial(.punctuation)), .pattern(.gpt2), .digits(individually: false), .pattern(.partial(.threeDigits)),
    ]
    /// "deepseek-coder".
    static let deepSeekCoder: [Cut] = [
      .pattern(.partial(.newline)), .pattern(.partial(.spacedLetters)), .pattern(.partial(.spacedPunctuation)),
      .pattern(.partial(.ideographsWithoutSpaces)), .digits(individually: true),
    ]

    /// llama.cpp's pattern in place of Hugging Face's, where they differ in a few characters.
    fileprivate var inGGUF: Cut {
      switch self {
      case .pattern(.modern(var pattern)):
        pattern.foldsLongS = false
        return .pattern(.modern(pattern))
      case .pattern(.partial(.ideographs)): return .pattern(.partial(.ideographsWithoutSpaces))
      default: return self
      }
    }
  }

  private enum Words: Sendable {
    case whole
    case byteLevel(addsPrefixSpace: Bool, usesPattern: Bool)
    case metaspace(Metaspace)
  }

  private var cuts: [Cut] = []
  private var words = Words.whole

  /// Whether the words are to be spelled in `ByteLevelAlphabet`.
  var isByteLevel: Bool { if case .byteLevel = words { true } else { false } }

  /// Whether words depend on standing at the start of the text.
  var dependsOnTextStart: Bool {
    if case .metaspace(let metaspace) = words { metaspace.prepends == .first } else { false }
  }

  /// Whether a text is cut by anything but `ByteLevel` or `Metaspace`.
  var hasCuts: Bool { !cuts.isEmpty }

  /// Whether it puts a space before every stretch that it cuts, not only before the text.
  var prependsToEveryCut: Bool {
    if case .metaspace(let metaspace) = words { hasCuts && metaspace.prepends == .always } else { false }
  }

  /// Whether it cuts a text within a piece of the vocabulary, so that merging never makes the piece.
  func cutsWithin(_ piece: [UInt8]) -> Bool {
    var text = piece
    if case .metaspace(let metaspace) = words {
      // It marks spaces after the cuts.
      text = piece.replacing(metaspace.replacement, with: [UInt8(ascii: " ")])
    }
    return split(text, startsText: false).ends.count > 1
  }

  /// What llama.cpp calls this way of cutting a text; nil where it has no name for it.
  func ggufName(ignoresMerges: Bool) -> String? {
    guard case .byteLevel(false, let usesPattern) = words else { return nil }
    let cuts = (usesPattern ? cuts + [.pattern(.gpt2)] : cuts).map(\.inGGUF)
    return switch (cuts, ignoresMerges) {
    case (Cut.ggufDefault, false): "default"
    case (Cut.deepSeekCoder, false): "deepseek-coder"
    case ([.pattern(.gpt2)], false): "gpt-2"
    case ([.digits(individually: true), .pattern(.gpt2)], false): "smollm"
    case ([Cut.pattern(.llama3).inGGUF], true): "llama-bpe"
    case ([Cut.pattern(.llama3).inGGUF], false): "smaug-bpe"
    case ([Cut.pattern(.qwen2).inGGUF], false): "qwen2"
    case ([.pattern(.tekken)], true): "tekken"
    default: nil
    }
  }

  /// The text as one word.
  init() {}

  init(byteLevelWords cuts: [Cut]) {
    self.cuts = cuts
    words = .byteLevel(addsPrefixSpace: false, usesPattern: false)
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
    guard cuts.count < FileSection.maximumStepCount else { throw section.unsupported("so long a sequence") }
    switch type {
    case "Digits":
      try section.allowOnly("type", "individual_digits")
      cuts.append(.digits(individually: try section.required("individual_digits").boolean()))
    case "Split":
      cuts.append(.pattern(try Self.pattern(section)))
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

  /// The pattern of a `Split`. Where it matches all of a text, to isolate the matches and to remove what is between
  /// them are the same.
  private static func pattern(_ section: FileSection) throws(TokenizerError) -> WordPattern {
    try section.allowOnly("type", "pattern", "behavior", "invert")
    let parts = try section.required("pattern")
    try parts.allowOnly("Regex")
    let spelling = try parts.required("Regex")
    guard let pattern = WordPattern(spelling: try spelling.string()) else {
      throw spelling.unsupported("the regular expression \(try spelling.string())")
    }
    let behavior = try section.required("behavior").string()
    let inverts = try section.boolean("invert", absent: false)
    guard behavior == "Isolated" && !inverts || behavior == "Removed" && inverts && pattern.matchesAll else {
      throw section.unsupported("the behavior '\(behavior)' with invert \(inverts)")
    }
    return pattern
  }

  /// The words of `text`; `startsText` tells whether it is the first piece of the text given to the tokenizer.
  func split(_ text: [UInt8], startsText: Bool) -> SplitText {
    var pieces = SplitText(bytes: text, ends: text.isEmpty ? [] : [text.count])
    for cut in cuts {
      switch cut {
      case .digits(let individually): pieces = pieces.cuttingDigits(individually: individually)
      case .pattern(let pattern): pieces = pieces.cutting(by: pattern)
      }
    }
    switch words {
    case .whole: return pieces
    case .byteLevel(let addsPrefixSpace, let usesPattern):
      if addsPrefixSpace { pieces = pieces.prefixing(with: [UInt8(ascii: " ")]) { _ in true } }
      return usesPattern ? pieces.cutting(by: .gpt2) : pieces
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

  fileprivate func cutting(by pattern: WordPattern) -> SplitText {
    var cut = SplitText(bytes: bytes, ends: [])
    cut.ends.reserveCapacity(bytes.count / 4)
    var position = 0
    for end in ends {
      while position < end {
        position = pattern.matchEnd(in: bytes, from: position, to: end)
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
