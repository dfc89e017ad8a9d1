/// The cutting of a text into words, within which byte-pair encoding works.
///
/// Any number of `Digits` and `Split` followed by at most one of `ByteLevel` and `Metaspace`.
struct PreTokenizer: Sendable {
  enum Cut: Sendable, Equatable {
    case digits(individually: Bool)
    case split(PatternSplit)

    fileprivate var removes: Bool { if case .split(let split) = self { split.behavior == .removed } else { false } }
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
  func cutsWithin(_ piece: [UInt8]) throws(TokenizerError) -> Bool {
    var text = piece
    if case .metaspace(let metaspace) = words {
      // It marks spaces after the cuts.
      text = piece.replacing(metaspace.replacement, with: [UInt8(ascii: " ")])
    }
    return try split(text, startsText: false).ends.count > 1
  }

  /// The steps by which `ByteLevel`, without a space before the text, is to get its words; nil where llama.cpp has no
  /// such steps.
  var ggufSteps: [GGUFPreTokenizer.Step]? {
    guard case .byteLevel(false, let usesPattern) = words else { return nil }
    var steps: [GGUFPreTokenizer.Step] = []
    for cut in usesPattern ? cuts + [.gpt2] : cuts {
      switch cut {
      case .digits(let individually): steps.append(.digits(individually: individually))
      case .split(let split):
        // To remove what lies between the matches of these, which is nothing, is to isolate them.
        let matchesAll = split.pattern.expression.hasSuffix(#"|\s+"#)
        guard !split.inverts && split.behavior == .isolated || split.inverts && split.behavior == .removed && matchesAll
        else { return nil }
        steps.append(.isolating(split.pattern.expression))
      }
    }
    return steps
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
      cuts.append(.split(try PatternSplit(parsing: section)))
    case "ByteLevel":
      try section.allowOnly("type", "add_prefix_space", "trim_offsets", "use_regex")
      words = .byteLevel(
        addsPrefixSpace: try section.required("add_prefix_space").boolean(),
        usesPattern: try section.boolean("use_regex", absent: true)
      )
    case "Metaspace":
      words = .metaspace(try Metaspace(parsing: section))
      // Where a text starts is no longer known.
      if dependsOnTextStart, cuts.contains(where: \.removes) {
        throw section.unsupported("prepend_scheme 'first' behind a Split that removes")
      }
    default:
      throw section.unsupported("the pre-tokenizer '\(type)'")
    }
  }

  /// The words of `text`; `startsText` tells whether it is the first piece of the text given to the tokenizer.
  func split(_ text: [UInt8], startsText: Bool) throws(TokenizerError) -> SplitText {
    var pieces = SplitText(bytes: text, ends: text.isEmpty ? [] : [text.count])
    for cut in cuts {
      switch cut {
      case .digits(let individually): pieces = pieces.cuttingDigits(individually: individually)
      case .split(let split): pieces = try Self.cut(pieces, by: split)
      }
    }
    switch words {
    case .whole: return pieces
    case .byteLevel(let addsPrefixSpace, let usesPattern):
      if addsPrefixSpace { pieces = pieces.prefixing(with: [UInt8(ascii: " ")]) { _ in true } }
      return usesPattern ? try Self.cut(pieces, by: .gpt2) : pieces
    case .metaspace(let metaspace): return metaspace.split(pieces, startsText: startsText)
    }
  }

  private static func cut(_ pieces: SplitText, by split: PatternSplit) throws(TokenizerError) -> SplitText {
    do throws(PatternError) {
      return try pieces.cutting(by: split)
    } catch {
      throw .unsupported("\(error.problem) in the regular expression \(split.pattern.expression)", at: "pre_tokenizer")
    }
  }
}
