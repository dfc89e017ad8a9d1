package import Wording

/// A factor fᵢ for each singular direction i of a site's matrix, by descending σ: the matrix becomes Σ fᵢ σᵢ uᵢ vᵢᵀ,
/// or W_base + Σ fᵢ σᵢ uᵢ vᵢᵀ of the difference to a base ("filter factors", Hansen 1998, Rank-Deficient and Discrete
/// Ill-Posed Problems).
package enum Filter: Sendable, Hashable, Codable {
  /// 1 for the first so many directions, 0 for the others: the best approximation of that rank.
  case truncation(rank: Int)
  /// One factor for so many directions, all that there are. It needs no decomposition.
  case scale(Float, directions: Int)
  /// One for each direction.
  case factors([Float])

  /// What a factor may be.
  package static let range: ClosedRange<Float> = 0...2

  /// How many factors are not 0: what remains of the rank.
  package var rank: Int {
    switch self {
    case .truncation(let rank): rank
    case .scale(let factor, let directions): factor == 0 ? 0 : directions
    case .factors(let factors): factors.count { $0 != 0 }
    }
  }

  package var isScale: Bool { scale != nil }

  /// The one factor of all directions, where there is one.
  package var scale: Float? {
    if case .scale(let factor, _) = self { factor } else { nil }
  }

  /// fᵢ.
  ///
  /// - Parameter direction: From 0, below the full rank.
  package func factor(of direction: Int) -> Float {
    switch self {
    case .truncation(let rank): direction < rank ? 1 : 0
    case .scale(let factor, _): factor
    case .factors(let factors): factors[direction]
    }
  }

  /// All factors of a matrix of some full rank, which the filter must be for: see `check`.
  package func factors(fullRank: Int) -> [Float] { (0..<fullRank).map(factor(of:)) }

  /// How many factors are not 1: the rank of what the filter changes.
  package func changedCount(fullRank: Int) -> Int { factors(fullRank: fullRank).count { $0 != 1 } }

  /// The same with 0 for the directions from some one on; one factor for all directions stays.
  package func dropping(from first: Int) -> Filter {
    switch self {
    case .truncation(let rank): .truncation(rank: min(rank, first))
    case .scale: self
    case .factors(let factors): .factors(factors.enumerated().map { $0 < first ? $1 : 0 })
    }
  }

  /// - Throws: `InputError` where it is no filter for a matrix of that full rank: another number of directions, a
  ///   factor outside `range` or not a number.
  package func check(fullRank: Int) throws(InputError) {
    func check(_ factor: Float, of direction: Int?) throws(InputError) {
      guard !Self.range.contains(factor) else { return }
      throw InputError("the factor \(factor)\(direction.map { " of direction \($0)" } ?? "") is not from 0 to 2")
    }
    func check(count: Int) throws(InputError) {
      guard count != fullRank else { return }
      throw InputError("it is for \(count) directions, but the matrix has \(fullRank)")
    }
    switch self {
    case .truncation(let rank):
      guard !(0...fullRank).contains(rank) else { return }
      throw InputError("rank \(rank) is not from 0 to the full rank \(fullRank) of the matrix")
    case .scale(let factor, let directions):
      try check(count: directions)
      try check(factor, of: nil)
    case .factors(let factors):
      try check(count: factors.count)
      for (direction, factor) in factors.enumerated() { try check(factor, of: direction) }
    }
  }
}

/// What factors a filter may have.
package enum FilterKind: String, Sendable, CaseIterable, Codable {
  case truncate, scale, select, shrink, reweight

  /// One line, for help.
  package var summary: String {
    switch self {
    case .truncate: "1 for the strongest directions, 0 for the others: a lower rank, as LASER was published"
    case .scale: "one factor from 0 to 1 for all directions of a matrix"
    case .select: "0 or 1: drops any directions, not only the weakest"
    case .shrink: "from 0 to 1: takes a part of each direction away"
    case .reweight: "from 0 to 2: may strengthen directions too"
    }
  }
}
