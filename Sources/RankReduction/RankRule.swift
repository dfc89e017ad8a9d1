package import Wording

/// How a rank is chosen for a site.
package enum RankRule: Sendable, Equatable, CustomStringConvertible {
  /// ρ of the full rank, from 0 to 1; at least rank 1, but for 0, which leaves nothing as rank 0 does.
  case fraction(Double)
  /// So many singular values; 0 leaves nothing (or, relative to a base, the base's own matrix).
  case rank(Int)
  /// The smallest rank that keeps a share of Σ σ².
  case energy(Double)
  /// The singular values above the edge of noise.
  case noiseEdge
  /// The singular values above Gavish and Donoho's optimal hard threshold.
  case optimalThreshold
  /// The threshold of earlier scripts, for comparison.
  case laserRMT

  /// What people write; a number with a decimal point is a fraction, a whole number a rank.
  package static let syntax =
    "a fraction from 0.0 to 1.0 (0.5), a whole number (64), energy:SHARE (energy:0.9), noise-edge, svht or laser-rmt"

  /// Rules that are words, and some of the others.
  package static let words = ["0.75", "0.5", "0.25", "0.1", "energy:0.9", "noise-edge", "svht", "laser-rmt"]

  package init?(_ text: String) {
    func share(_ text: Substring) -> Double? {
      guard text.contains("."), let share = Double(text), share >= 0, share <= 1 else { return nil }
      return share
    }
    if let rank = Int(text), rank >= 0 {
      self = .rank(rank)
    } else if let fraction = share(text[...]) {
      self = .fraction(fraction)
    } else if text.hasPrefix("energy:"), let energy = share(text.dropFirst("energy:".count)), energy > 0 {
      self = .energy(energy)
    } else if text == "noise-edge" {
      self = .noiseEdge
    } else if text == "svht" {
      self = .optimalThreshold
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
    case .optimalThreshold: "svht"
    case .laserRMT: "laser-rmt"
    }
  }

  /// - Throws: `InputError` for a rank above the full one.
  package func check(fullRank: Int) throws(InputError) {
    if case .rank(let rank) = self, rank > fullRank {
      throw InputError("rank \(rank) is above the full rank \(fullRank) of the matrix")
    }
  }

  /// - Parameter whole: The rank that fractions are of; nil for the full rank. For a difference to a base it may be
  ///   the numerical rank: fractions of a tuning of rank 16 then keep 8 or 4 directions, not thousands of rounding.
  ///   At most the full rank.
  package func rank(for spectrum: Spectrum, fractionsOf whole: Int? = nil) -> Int {
    switch self {
    case .fraction(let fraction): Self.rank(fraction, of: min(whole ?? spectrum.fullRank, spectrum.fullRank))
    case .rank(let rank): min(rank, spectrum.fullRank)
    case .energy(let share): spectrum.rank(keepingEnergy: share)
    case .noiseEdge: spectrum.rankAboveNoise
    case .optimalThreshold: spectrum.rankByOptimalThreshold
    case .laserRMT: spectrum.rankByLaserRMT
    }
  }

  /// At least 1, if there is anything.
  private static func rank(_ fraction: Double, of whole: Int) -> Int {
    fraction == 0 ? 0 : min(whole, max(1, Int((fraction * Double(whole)).rounded(.toNearestOrEven))))
  }
}
