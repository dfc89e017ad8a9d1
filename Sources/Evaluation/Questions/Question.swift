internal import ChatTemplates

/// A question with its choices, or a text with the words that go on with it.
package struct Question: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// Which of several choices is right.
    case choices
    /// How likely the continuation is, and whether the model itself would write it.
    case continuation
  }

  package let kind: Kind
  /// Whether the choices follow one query, so that they can also be taken without it.
  package let hasQuery: Bool
  /// In its file, from 1.
  package let line: Int
  /// What each choice's likelihood is taken of: a continuation, after a context.
  package let pairs: [Pair]
  /// The choices' own texts, whose lengths normalized scores divide by; of a continuation, itself.
  package let choices: [String]
  /// The right choice.
  package let gold: Int
  /// What the question is shown as.
  package let text: String

  package struct Pair: Sendable, Equatable {
    package let context: String
    package let continuation: String
  }

  /// Choices after a query, as `multiple_choice` tasks of lm-evaluation-harness put them: a space between.
  package init(query: String, choices: [String], gold: Int, line: Int) {
    (kind, hasQuery) = (.choices, true)
    (self.choices, self.gold, self.line, text) = (choices, gold, line, query)
    pairs = choices.map { Pair(context: query, continuation: " " + $0) }
  }

  /// One continuation after several contexts, of which one is right: what the harness calls multiple inputs.
  package init(contexts: [String], continuation: String, gold: Int, line: Int) {
    (kind, hasQuery) = (.choices, false)
    (choices, self.gold, self.line, text) = (contexts, gold, line, "… " + continuation)
    pairs = contexts.map { Pair(context: $0, continuation: " " + continuation) }
  }

  /// A continuation of a context, with a space between where it begins with none.
  package init(context: String, continuation: String, line: Int) {
    (kind, hasQuery) = (.continuation, false)
    (choices, gold, self.line, text) = ([continuation], 0, line, context)
    let hasSpace = continuation.unicodeScalars.first.map(\.isPythonSpace) ?? false
    pairs = [Pair(context: context, continuation: hasSpace ? continuation : " " + continuation)]
  }

  /// Characters of each choice as lm-evaluation-harness counts them: Unicode scalars.
  package var characters: [Int] { choices.map(\.unicodeScalars.count) }

  /// UTF-8 bytes of each choice.
  package var bytes: [Int] { choices.map(\.utf8.count) }
}
