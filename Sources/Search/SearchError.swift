/// A search that cannot be made or continued, and why. Its description is one line.
package struct SearchError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}
