/// What a person gave and cannot be used: a file, an option, a model. Its description is one line that says what is
/// wrong, where, and what to do.
package struct InputError: Error, CustomStringConvertible {
  package let description: String

  /// - Parameter description: What it quotes of a file may be of any length and hold anything.
  package init(_ description: String) { self.description = oneLine(description) }
}
