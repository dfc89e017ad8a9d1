/// What cannot be merged, and why. Its description is one line.
package struct MergeError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}
