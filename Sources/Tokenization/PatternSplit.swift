/// A `Split` of tokenizer.json: a text is cut at the matches of a pattern.
struct PatternSplit: Equatable, Sendable {
  /// What becomes of a match.
  enum Behavior: String, Sendable {
    case isolated = "Isolated"
    case removed = "Removed"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    /// Matches that follow each other are one piece.
    case contiguous = "Contiguous"
  }

  let pattern: Pattern
  var behavior = Behavior.isolated
  /// Whether what lies between the matches counts as matches, and they as what lies between.
  var inverts = false

  init(parsing section: FileSection) throws(TokenizerError) {
    try section.allowOnly("type", "pattern", "behavior", "invert")
    let parts = try section.required("pattern")
    try parts.allowOnly("Regex", "String")
    let isLiteral = parts.member("String") != nil
    let spelling = try parts.required(isLiteral ? "String" : "Regex")
    let text = try spelling.string()
    do throws(PatternError) {
      pattern = isLiteral ? try Pattern(literal: text) : try Pattern(text)
    } catch {
      throw spelling.unsupported("\(error.problem) in the regular expression \(text)")
    }
    let name = try section.required("behavior").string()
    guard let behavior = Behavior(rawValue: name) else { throw section.unsupported("the behavior '\(name)'") }
    self.behavior = behavior
    inverts = try section.boolean("invert", absent: false)
  }
}

extension PatternSplit {
  /// GPT-2's words, which are `ByteLevel`'s own.
  static let gpt2 = PatternSplit(known: WordExpressions.gpt2)

  /// - Parameter expression: One of this module's own.
  init(known expression: String) {
    do throws(PatternError) {
      pattern = try Pattern(expression)
    } catch {
      preconditionFailure("\(error.problem) in \(expression)")
    }
  }
}

extension PreTokenizer.Cut {
  static let gpt2 = Self.split(.gpt2)

  init(_ step: GGUFPreTokenizer.Step) {
    switch step {
    case .digits(let individually): self = .digits(individually: individually)
    case .isolating(let expression):
      self = expression == WordExpressions.gpt2 ? .gpt2 : .split(PatternSplit(known: expression))
    }
  }
}

/// Puts together the pieces of a text from the matches and what lies between, stretch by stretch.
struct PieceJoiner {
  private let behavior: PatternSplit.Behavior
  /// Where the pieces end that are complete.
  var result: [Int] = []
  private var open: Range<Int>?
  private var previousIsMatch = false
  private var removed: [Range<Int>] = []

  init(_ behavior: PatternSplit.Behavior) { self.behavior = behavior }

  /// Takes what follows in the stretch; a match may be empty.
  @inline(__always)
  mutating func append(_ part: Range<Int>, isMatch: Bool) {
    if behavior == .isolated {
      if !part.isEmpty { result.append(part.upperBound) }
      return
    }
    join(part, isMatch: isMatch)
  }

  private mutating func join(_ part: Range<Int>, isMatch: Bool) {
    let joins =
      switch behavior {
      case .isolated, .removed: false
      case .contiguous: isMatch == previousIsMatch
      case .mergedWithPrevious: isMatch && !previousIsMatch
      case .mergedWithNext: !isMatch && previousIsMatch
      }
    previousIsMatch = isMatch
    if joins, let start = open?.lowerBound {
      open = start..<part.upperBound
      return
    }
    closePiece()
    if behavior == .removed, isMatch { removed.append(part) } else { open = part }
  }

  private mutating func closePiece() {
    if let piece = open, !piece.isEmpty { result.append(piece.upperBound) }
    open = nil
  }

  /// Nothing is joined over the end of a stretch.
  mutating func endStretch() {
    closePiece()
    previousIsMatch = false
  }

  /// The pieces, adjoining: what is removed between them is no longer in the bytes.
  func text(of bytes: [UInt8]) -> SplitText {
    guard removed.contains(where: { !$0.isEmpty }) else { return SplitText(bytes: bytes, ends: result) }
    var text = SplitText(bytes: [], ends: [])
    var gaps = removed[...]
    var (position, lost) = (0, 0)
    func copy(upTo end: Int) {
      while let gap = gaps.first, gap.upperBound <= end {
        text.bytes += bytes[position..<gap.lowerBound]
        lost += gap.count
        position = gap.upperBound
        gaps.removeFirst()
      }
      text.bytes += bytes[position..<end]
      position = end
    }
    for end in result {
      copy(upTo: end)
      text.ends.append(end - lost)
    }
    return text
  }
}
