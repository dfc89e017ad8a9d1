/// A selection, a rank or a plan that a model cannot follow. Its description is one line.
package struct ReductionError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}
