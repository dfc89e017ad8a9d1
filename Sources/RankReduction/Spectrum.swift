internal import Glibc

/// The singular values of a matrix, and what can be read from them about its rank.
package struct Spectrum: Sendable {
  /// σ₁ ≥ σ₂ ≥ …, min(rows, columns) of them.
  package let singularValues: [Double]
  package let rows: Int
  package let columns: Int

  package init(singularValues: [Double], rows: Int, columns: Int) {
    precondition(singularValues.count == min(rows, columns), "not all singular values")
    self.singularValues = singularValues
    self.rows = rows
    self.columns = columns
  }

  package var fullRank: Int { singularValues.count }

  /// β = min / max of the dimensions.
  private var aspect: Double { Double(min(rows, columns)) / Double(max(rows, columns)) }

  /// Where the singular values of pure noise end: s (√m + √n) for independent entries of standard deviation s.
  ///
  /// s is estimated from the median singular value, which a few strong directions do not move: s = σ_median / √(max(m, n) μ),
  /// μ the median of the Marchenko–Pastur law for β (Gavish & Donoho 2014, §III-E).
  package var noiseEdge: Double {
    guard fullRank > 0 else { return 0 }
    let deviation = quantile(0.5) / (Double(max(rows, columns)) * MarchenkoPastur.median(aspect: aspect)).squareRoot()
    return deviation * (Double(rows).squareRoot() + Double(columns).squareRoot())
  }

  /// How many singular values stand above the edge of noise.
  package var rankAboveNoise: Int { count(above: noiseEdge) }

  /// How many stand above IQR(σ) / 1.349 · (1 + √β), the threshold of earlier scripts. It leaves out the matrix's size and
  /// so keeps most of pure noise; here for comparison.
  package var rankByLaserRMT: Int {
    count(above: (quantile(0.75) - quantile(0.25)) / 1.349 * (1 + aspect.squareRoot()))
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

  /// exp of the entropy of σᵢ / Σσ (Roy & Vetterli 2007, "The effective rank"): the full rank when all are equal, 1 when one
  /// stands alone; 0 for a matrix of zeros.
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

/// The law of the squared singular values of noise, divided by variance and larger dimension, as matrices grow (Marchenko &
/// Pastur 1967): density √((b − x)(x − a)) / (2π β x) between a = (1 − √β)² and b = (1 + √β)².
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
