/// A text of its own, of which some tokens are scored.
package struct ScoredDocument: Sendable, Equatable {
  package let tokens: [Int32]
  /// Ascending; none has the first token.
  package let scored: [Range<Int>]
}
