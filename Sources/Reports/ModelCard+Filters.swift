internal import RankReduction

extension ModelCard {
  /// Whether the plan has filters; the others are ranks.
  var hasFilters: Bool { plan.reductions.contains { $0.filter != nil } }

  var hasScales: Bool { plan.reductions.contains { $0.scale != nil } }

  /// What filters do, in a sentence for each kind that the plan has.
  ///
  /// - Parameter base: The name of the base whose difference is filtered, ready for Markdown; nil for the matrices
  ///   themselves.
  func filterText(difference base: String?) -> String {
    let whose = base.map { "of the difference to \($0) " } ?? ""
    let kinds = FilterKind.allCases.map { kind in
      (kind, plan.reductions.count { ($0.filter ?? .truncate) == kind })
    }.filter { $0.1 > 0 }
    return kinds.map { kind, count in
      (kinds.count > 1 ? "In \(matrices(count)), the" : "The")
        + " singular directions \(whose)are \(FilterText.words(kind))."
    }.joined(separator: " ")
  }
}
