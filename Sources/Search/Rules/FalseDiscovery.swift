/// Which of many tests made at once count as findings.
enum FalseDiscovery {
  /// The largest p that counts so that the expected share of false positives among the findings stays below `rate`: the
  /// largest p₍ₖ₎ ≤ rate · k / m (Benjamini & Hochberg 1995). Zero where there is none; 1 for a rate of 1, which asks
  /// for no control.
  static func threshold(_ pValues: [Double], rate: Double) -> Double {
    guard rate < 1 else { return 1 }
    let ascending = pValues.sorted()
    let count = Double(ascending.count)
    let last = ascending.indices.last { ascending[$0] <= rate * Double($0 + 1) / count }
    return last.map { ascending[$0] } ?? 0
  }
}
