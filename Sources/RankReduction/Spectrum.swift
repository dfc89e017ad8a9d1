internal import Glibc

/// The singular values of a matrix, and what can be read from them about its rank.
package struct Spectrum: Sendable {
  /// σ₁ ≥ σ₂ ≥ …, min(rows, columns) of them.
  package let singularValues: [Double]
  package let rows: Int
  package let columns: Int
  /// Where the singular values of what rounding added to the matrix end; nil where that is not known: see
  /// `RoundingNoise`.
  package let roundingEdge: Double?

  package init(singularValues: [Double], rows: Int, columns: Int, roundingEdge: Double? = nil) {
    precondition(singularValues.count == min(rows, columns), "not all singular values")
    self.singularValues = singularValues
    self.rows = rows
    self.columns = columns
    self.roundingEdge = roundingEdge
  }

  package var fullRank: Int { singularValues.count }

  /// β = min / max of the dimensions.
  private var aspect: Double { Double(min(rows, columns)) / Double(max(rows, columns)) }

  /// How many singular values stand above what rounding to the stored type and the decomposition's own rounding
  /// explain: the rank that a tuning was made with, if it was made with few. Nil where the rounding is not known.
  ///
  /// The decomposition squares the matrix, in float64 of spacing ε: its errors are about √(n ε) σ₁, n the shorter side.
  package var numericalRank: Int? {
    roundingEdge.map { edge in
      count(above: max(edge, (Double(fullRank) * Double.ulpOfOne).squareRoot() * (singularValues.first ?? 0)))
    }
  }

  /// s √max(m, n) for noise of standard deviation s, estimated from the median singular value, which a few strong
  /// directions do not move: σ_median / √μ, μ the median of the Marchenko–Pastur law for β (Gavish & Donoho 2014,
  /// §III-E).
  private var noiseUnit: Double {
    fullRank == 0 ? 0 : quantile(0.5) / MarchenkoPastur.median(aspect: aspect).squareRoot()
  }

  /// Where the singular values of pure noise end: s (√m + √n) for independent entries of standard deviation s.
  package var noiseEdge: Double {
    guard fullRank > 0 else { return 0 }
    let deviation = quantile(0.5) / (Double(max(rows, columns)) * MarchenkoPastur.median(aspect: aspect)).squareRoot()
    return deviation * (Double(rows).squareRoot() + Double(columns).squareRoot())
  }

  /// How many singular values stand above the edge of noise.
  package var rankAboveNoise: Int { count(above: noiseEdge) }

  /// How many stand above the hard threshold whose truncation has the least mean squared error for low rank plus
  /// noise of unknown strength: λ*(β) s √max(m, n), in singular values ω(β) σ_median (Gavish & Donoho 2014, "The
  /// optimal hard threshold for singular values is 4/√3", eq. 11). It is above the edge of noise: directions just
  /// above that are known too badly to be worth keeping.
  package var rankByOptimalThreshold: Int {
    fullRank == 0 ? 0 : count(above: GavishDonoho.thresholdOfMedian(aspect: aspect) * quantile(0.5))
  }

  /// The factors that make the expected squared error of low rank plus noise of unknown strength least: with y = σ /
  /// (s √max(m, n)), fᵢ = η(y) / y for η(y) = √((y² − β − 1)² − 4 β) / y above the edge of noise, y = 1 + √β, and 0
  /// below (Gavish & Donoho 2017, "Optimal shrinkage of singular values", arXiv 1405.7511, eq. 7). For square
  /// matrices f σ = √(σ² − 4 n s²). It needs no text.
  package var frobeniusShrinker: Filter {
    let (unit, aspect) = (noiseUnit, aspect)
    return .factors(
      singularValues.map { value in
        guard unit > 0 else { return value > 0 ? 1 : 0 }
        let square = (value / unit) * (value / unit)
        guard value > unit * (1 + aspect.squareRoot()) else { return 0 }
        let excess = square - aspect - 1
        return Float((excess * excess - 4 * aspect).squareRoot() / square)
      })
  }

  /// How many stand above IQR(σ) / 1.349 · (1 + √β), the threshold of earlier scripts. It leaves out the matrix's
  /// size and so keeps most of pure noise; here for comparison.
  package var rankByLaserRMT: Int {
    count(above: (quantile(0.75) - quantile(0.25)) / 1.349 * (1 + aspect.squareRoot()))
  }

  /// The share of Σ σ² that a filter takes away, Σ (1 − fᵢ²) σᵢ² / Σ σᵢ²; below 0 where it adds more than it takes.
  package func removed(by filter: Filter) -> Double {
    var (removed, total) = (0.0, 0.0)
    for (direction, value) in singularValues.enumerated() {
      let factor = Double(filter.factor(of: direction))
      total += value * value
      removed += (1 - factor * factor) * value * value
    }
    return total > 0 ? removed / total : 0
  }

  /// The smallest rank that keeps a share of Σ σᵢ².
  package func rank(keepingEnergy share: Double) -> Int {
    let total = singularValues.reduce(0) { $0 + $1 * $1 }
    var kept = 0.0
    for (index, value) in singularValues.enumerated() {
      kept += value * value
      if kept >= share * total { return index + 1 }
    }
    return fullRank
  }

  /// exp of the entropy of σᵢ / Σσ (Roy & Vetterli 2007, "The effective rank"): the full rank when all are equal, 1
  /// when one stands alone; 0 for a matrix of zeros.
  package var effectiveRank: Double {
    let total = singularValues.reduce(0, +)
    guard total > 0 else { return 0 }
    return exp(
      singularValues.reduce(0) { entropy, value in
        let share = value / total
        return share > 0 ? entropy - share * log(share) : entropy
      })
  }

  private func count(above threshold: Double) -> Int { singularValues.prefix { $0 > threshold }.count }

  /// Linear between the values, as numpy's quantile.
  private func quantile(_ share: Double) -> Double {
    guard fullRank > 0 else { return 0 }
    let position = (1 - share) * Double(fullRank - 1)
    let index = min(Int(position), fullRank - 1)
    let next = min(index + 1, fullRank - 1)
    return singularValues[index] + (position - Double(index)) * (singularValues[next] - singularValues[index])
  }
}

/// The optimal hard threshold for singular values.
package enum GavishDonoho {
  /// λ*(β) = √(2 (β + 1) + 8 β / (β + 1 + √(β² + 14 β + 1))): the threshold in units of s √max(m, n) (Gavish & Donoho
  /// 2014, eq. 11).
  ///
  /// - Parameter aspect: β, above 0 and at most 1.
  package static func threshold(aspect: Double) -> Double {
    let root = (aspect * aspect + 14 * aspect + 1).squareRoot()
    return (2 * (aspect + 1) + 8 * aspect / (aspect + 1 + root)).squareRoot()
  }

  /// ω(β) = λ*(β) / √μ_β: the threshold in units of the median singular value, for noise of unknown strength.
  package static func thresholdOfMedian(aspect: Double) -> Double {
    threshold(aspect: aspect) / MarchenkoPastur.median(aspect: aspect).squareRoot()
  }
}

/// The law of the squared singular values of noise, divided by variance and larger dimension, as matrices grow
/// (Marchenko & Pastur 1967): density √((b − x)(x − a)) / (2π β x) between a = (1 − √β)² and b = (1 + √β)².
package enum MarchenkoPastur {
  /// - Parameter aspect: β, above 0 and at most 1.
  package static func median(aspect: Double) -> Double {
    let a = (1 - aspect.squareRoot()) * (1 - aspect.squareRoot())
    let b = (1 + aspect.squareRoot()) * (1 + aspect.squareRoot())
    // With x = a + (b − a) sin²θ the density has no root at either end; the median is where half its integral is.
    let steps = 20_000
    let width = Double.pi / 2 / Double(steps)
    func point(_ angle: Double) -> Double { a + (b - a) * sin(angle) * sin(angle) }
    func density(_ angle: Double) -> Double {
      let product = sin(angle) * cos(angle)
      return (b - a) * (b - a) * product * product / (.pi * aspect * point(angle))
    }
    var sum = 0.0
    for step in 0..<steps {
      let middle = (Double(step) + 0.5) * width
      let part = density(middle) * width
      if sum + part >= 0.5 { return point((Double(step) + (0.5 - sum) / part) * width) }
      sum += part
    }
    return b
  }
}
