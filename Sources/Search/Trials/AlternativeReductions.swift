internal import RankReduction

/// What needs no search of its own, to be measured beside the result.
struct AlternativeReductions {
  let name: String
  let reductions: [Reduction]
}
