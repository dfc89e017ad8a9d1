/// The changes made to a text before it is split: `Prepend`, `Replace` with a plain string, and sequences of these.
struct Normalizer: Sendable {
  private enum Step: Sendable {
    case prepend([UInt8])
    case replace([UInt8], with: [UInt8])
  }

  private var steps: [Step] = []

  var isIdentity: Bool { steps.isEmpty }

  init(parsing section: FileSection?) throws(TokenizerError) {
    if let section { try add(section) }
  }

  private mutating func add(_ section: FileSection) throws(TokenizerError) {
    switch try section.type() {
    case "Sequence":
      try section.allowOnly("type", "normalizers")
      for part in try section.required("normalizers").elements() { try add(part) }
    case "Prepend":
      try section.allowOnly("type", "prepend")
      steps.append(.prepend(try section.required("prepend").bytes()))
    case "Replace":
      let (pattern, content) = try section.replacement()
      steps.append(.replace(pattern, with: content))
    case let type:
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
      }
    }
    return text
  }
}

extension FileSection {
  /// The pattern and content of a `Replace`, which normalizers and decoders share.
  func replacement() throws(TokenizerError) -> (pattern: [UInt8], content: [UInt8]) {
    try allowOnly("type", "pattern", "content")
    let pattern = try required("pattern")
    try pattern.allowOnly("String")
    let bytes = try pattern.required("String").bytes()
    guard !bytes.isEmpty else { throw pattern.unsupported("an empty pattern") }
    return (bytes, try required("content").bytes())
  }
}
