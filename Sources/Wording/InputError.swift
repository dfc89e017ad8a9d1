/// What a person gave and cannot be used: a file, an option, a model. Its description is one line that says what is
/// wrong, where, and what to do.
package struct InputError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}
