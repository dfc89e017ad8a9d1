/// How many of some answers are right.
package struct Accuracy: Sendable, Equatable {
  package let right: Int
  package let count: Int

  package init(right: Int, count: Int) { (self.right, self.count) = (right, count) }

  /// Nil for no answers.
  package init?(_ answers: [Bool]) {
    guard !answers.isEmpty else { return nil }
    self.init(right: answers.count { $0 }, count: answers.count)
  }

  package var share: Double { Double(right) / Double(count) }

  /// √(p (1 − p) / (n − 1)), as lm-evaluation-harness has it; one answer gives no idea of it: infinity.
  package var standardError: Double {
    count > 1 ? (share * (1 - share) / Double(count - 1)).squareRoot() : .infinity
  }
}
