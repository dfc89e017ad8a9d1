/// What runs a `Strategy`.
protocol SearchStrategy {
  /// Finds reductions; what the context's trials kept is the plan.
  static func run(_ context: inout SearchContext) throws

  /// How many false positives are to be expected among the kept reductions: at most, the number of tests times the level at which they were
  /// made, if no reduction were any good.
  static func expectedFalseKeeps(_ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int) -> Double
}

extension SearchStrategy {
  static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double { 0 }
}
