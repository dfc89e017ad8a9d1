/// A part of a search, and how long it will take.
package struct EstimatedPhase: Sendable {
  package let name: String
  package let seconds: Double
}
