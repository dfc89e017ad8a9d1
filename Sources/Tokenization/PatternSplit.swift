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
