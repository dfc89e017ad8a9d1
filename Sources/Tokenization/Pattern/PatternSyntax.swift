/// A regular expression, read but not yet compiled.
indirect enum PatternSyntax: Equatable, Sendable {
  /// One scalar of the set.
  case set(ScalarSet)
  case sequence([PatternSyntax])
  /// The first that leads to a match counts.
  case alternatives([PatternSyntax])
  case repeated(PatternSyntax, minimum: Int, maximum: Int?, Preference)
  /// The first match of what is within is kept, whatever follows: `(?>…)`.
  case atomic(PatternSyntax)
  case lookAhead(PatternSyntax, negated: Bool)
  case assertion(Assertion)

  /// How often to repeat first.
  enum Preference: Sendable { case greedy, lazy, possessive }

  /// What is said of a place between two scalars.
  enum Assertion: Equatable, Sendable {
    /// `\A`, `\z`
    case textStart, textEnd
    /// `^`, `$`
    case lineStart, lineEnd
    /// `\Z`: the end, or before a line break that ends the text.
    case lastLineEnd
    /// `\b`, `\B`
    case wordBoundary(negated: Bool)
    /// `(?<=…)`, `(?<!…)`
    case behind(ScalarSet, negated: Bool)
  }

  static let empty = PatternSyntax.sequence([])

  /// Whether it can match no scalar at all.
  var matchesEmpty: Bool {
    switch self {
    case .set: false
    case .sequence(let parts): parts.allSatisfy(\.matchesEmpty)
    case .alternatives(let branches): branches.contains(where: \.matchesEmpty)
    case .repeated(let body, let minimum, _, _): minimum == 0 || body.matchesEmpty
    case .atomic(let body): body.matchesEmpty
    case .lookAhead, .assertion: true
    }
  }

  /// One after the other. A look at one scalar before a set makes a smaller set: `(?!\s)[…]`.
  static func joining(_ parts: [PatternSyntax]) -> PatternSyntax {
    var result: [PatternSyntax] = []
    for part in parts {
      if case .set(let next) = part, case .lookAhead(.set(let seen), let negated)? = result.last {
        result[result.count - 1] = .set(negated ? next.subtracting(seen) : next.intersection(seen))
      } else if case .sequence(let inner) = part {
        result += inner
      } else {
        result.append(part)
      }
    }
    return result.count == 1 ? result[0] : .sequence(result)
  }

  /// One of these. Sets only are one set, and alternatives among them are some more.
  static func choosing(_ branches: [PatternSyntax]) -> PatternSyntax {
    var result: [PatternSyntax] = []
    for branch in branches {
      if case .alternatives(let inner) = branch { result += inner } else { result.append(branch) }
    }
    var sets: [ScalarSet] = []
    for case .set(let set) in result { sets.append(set) }
    if sets.count == result.count { return .set(ScalarSet(sets.flatMap(\.ranges))) }
    return result.count == 1 ? result[0] : .alternatives(result)
  }
}

/// What a regular expression has that is not supported.
package struct PatternError: Error, Equatable {
  package let problem: String
}
