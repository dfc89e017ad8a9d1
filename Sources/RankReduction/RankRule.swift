/// How a rank is chosen for a site.
package enum RankRule: Sendable, Equatable, CustomStringConvertible {
  /// ρ of the full rank, above 0 and at most 1; at least rank 1.
  case fraction(Double)
  /// So many singular values; 0 leaves nothing (or, relative to a base, the base's own matrix).
  case rank(Int)
  /// The smallest rank that keeps a share of Σ σ².
  case energy(Double)
  /// The singular values above the edge of noise.
  case noiseEdge
  /// The threshold of earlier scripts, for comparison.
  case laserRMT

  /// What people write; a number with a decimal point is a fraction, a whole number a rank.
  package static let syntax =
    "a fraction above 0 and at most 1.0 (0.5), a whole number (64), energy:SHARE (energy:0.9), noise-edge or laser-rmt"

  package init?(_ text: String) {
    func share(_ text: Substring) -> Double? {
      guard text.contains("."), let share = Double(text), share > 0, share <= 1 else { return nil }
      return share
    }
    if let rank = Int(text), rank >= 0 {
      self = .rank(rank)
    } else if let fraction = share(text[...]) {
      self = .fraction(fraction)
    } else if text.hasPrefix("energy:"), let energy = share(text.dropFirst("energy:".count)) {
      self = .energy(energy)
    } else if text == "noise-edge" {
      self = .noiseEdge
    } else if text == "laser-rmt" {
      self = .laserRMT
    } else {
      return nil
    }
  }

  package var description: String {
    switch self {
    case .fraction(let fraction): "\(fraction)"
    case .rank(let rank): "\(rank)"
    case .energy(let share): "energy:\(share)"
    case .noiseEdge: "noise-edge"
    case .laserRMT: "laser-rmt"
    }
  }

  /// - Throws: `ReductionError` for a rank above the full one.
  package func check(fullRank: Int) throws(ReductionError) {
    if case .rank(let rank) = self, rank > fullRank {
      throw ReductionError("rank \(rank) is above the full rank \(fullRank) of the matrix")
    }
  }

  package func rank(for spectrum: Spectrum) -> Int {
    switch self {
    case .fraction(let fraction): max(1, Int((fraction * Double(spectrum.fullRank)).rounded(.toNearestOrEven)))
    case .rank(let rank): min(rank, spectrum.fullRank)
    case .energy(let share): spectrum.rank(keepingEnergy: share)
    case .noiseEdge: spectrum.rankAboveNoise
    case .laserRMT: spectrum.rankByLaserRMT
    }
  }
}
