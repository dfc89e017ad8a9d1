/// The changes made to a text before it is split: `Prepend`, `Replace` with a plain string, Unicode's normalization
/// forms, and sequences of these.
struct Normalizer: Sendable {
  private enum Step: Sendable {
    case prepend([UInt8])
    case replace([UInt8], with: [UInt8])
    case unicode(UnicodeNormalization)
  }

  private var steps: [Step] = []
  private var growth = 1.0
  private static let longestPrefix = 64

  var isIdentity: Bool { steps.isEmpty }

  /// Whether it brings a text into one of Unicode's normal forms.
  var composes: Bool {
    steps.contains { step in
      if case .unicode = step { true } else { false }
    }
  }

  /// A text as it stands.
  init() {}

  /// SentencePiece's marks: ▁ for each space, and one more before the text if `prepends`.
  init(markingSpaces prepends: Bool) {
    if prepends { steps.append(.prepend(WordStart.bytes)) }
    steps.append(.replace([UInt8(ascii: " ")], with: WordStart.bytes))
  }

  init(parsing section: FileSection?) throws(TokenizerError) {
    if let section { try add(section) }
  }

  private mutating func add(_ section: FileSection) throws(TokenizerError) {
    guard steps.count < FileSection.maximumStepCount else { throw section.unsupported("so long a sequence") }
    switch try section.type() {
    case "Sequence":
      try section.allowOnly("type", "normalizers")
      for part in try section.required("normalizers").elements() { try add(part) }
    case "Prepend":
      try section.allowOnly("type", "prepend")
      let prefix = try section.required("prepend").bytes()
      guard prefix.count <= Self.longestPrefix else { throw section.unsupported("so long a prefix") }
      steps.append(.prepend(prefix))
    case "Replace":
      let (pattern, content) = try section.replacement(growth: &growth)
      steps.append(.replace(pattern, with: content))
    case let type:
      if let form = UnicodeNormalization(rawValue: type) {
        try section.allowOnly("type")
        steps.append(.unicode(form))
        return
      }
      throw section.unsupported("the normalizer '\(type)'")
    }
  }

  /// An empty text stays empty: nothing is prepended to it.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    var text = text
    for step in steps {
      switch step {
      case .prepend(let prefix): if !text.isEmpty { text = prefix + text }
      case .replace(let pattern, let content): text = text.replacing(pattern, with: content)
      case .unicode(let form): text = form.normalize(text)
      }
    }
    return text
  }
}

extension FileSection {
  /// The pattern and content of a `Replace`, which normalizers and decoders share.
  ///
  /// `growth` is how many times longer a text can become by the replacements so far. In files of use it is 3; a hostile
  /// file is stopped at 64.
  func replacement(growth: inout Double) throws(TokenizerError) -> (pattern: [UInt8], content: [UInt8]) {
    try allowOnly("type", "pattern", "content")
    let pattern = try required("pattern")
    try pattern.allowOnly("String")
    let bytes = try pattern.required("String").bytes()
    guard !bytes.isEmpty else { throw pattern.unsupported("an empty pattern") }
    let content = try required("content").bytes()
    growth *= max(1, Double(content.count) / Double(bytes.count))
    guard growth <= 64 else { throw unsupported("making a text more than 64 times longer") }
    return (bytes, content)
  }
}
