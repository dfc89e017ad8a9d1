package import Evaluation
internal import Glibc

/// Probabilities and intervals of paired deltas; one-sided where nothing else is said.
package enum Significance {
  /// The probability that a delta at least as far below zero arises by chance when the true one is not below zero:
  /// Student's t with one degree of freedom fewer than windows. No noise at all leaves no doubt either way.
  package static func pValue(_ delta: PairedDelta, windows: Int) -> Double {
    guard windows > 1, delta.standardError.isFinite else { return 1 }
    guard delta.standardError > 0 else { return delta.mean < 0 ? 0 : 1 }
    return studentTail(-delta.mean / delta.standardError, degrees: Double(windows - 1))
  }

  /// The probability that a delta at least as far from zero arises by chance when the true one is zero.
  package static func twoSidedPValue(_ delta: PairedDelta, windows: Int) -> Double {
    guard delta.mean != 0 else { return 1 }
    let below = pValue(PairedDelta(mean: -abs(delta.mean), standardError: delta.standardError), windows: windows)
    return min(1, 2 * below)
  }

  /// P(T > t) for Student's distribution: with t = √ν tan θ, the integral of cos^(ν−1) over the angles above θ, by
  /// Simpson's rule.
  package static func studentTail(_ t: Double, degrees: Double) -> Double {
    if t < 0 { return 1 - studentTail(-t, degrees: degrees) }
    let start = atan(t / degrees.squareRoot())
    let steps = 2000
    let width = (.pi / 2 - start) / Double(steps)
    var sum = 0.0
    for index in 0...steps {
      let weight = index == 0 || index == steps ? 1.0 : index % 2 == 1 ? 4 : 2
      // At π/2 the cosine is 0 but for rounding, which a power must not turn into a number that is none.
      sum += weight * pow(max(0, cos(start + Double(index) * width)), degrees - 1)
    }
    let constant = exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)) / Double.pi.squareRoot()
    return constant * sum * width / 3
  }

  /// The interval around a paired delta in which the true one lies with the given confidence, two-sided: Student's t with
  /// one degree of freedom fewer than windows. Nil where one window tells nothing of its error.
  package static func interval(_ delta: PairedDelta, windows: Int, confidence: Double = 0.95) -> ClosedRange<Double>? {
    guard windows > 1, delta.mean.isFinite, delta.standardError.isFinite, delta.standardError >= 0 else { return nil }
    let reach = studentQuantile((1 + confidence) / 2, degrees: Double(windows - 1)) * delta.standardError
    return delta.mean - reach...delta.mean + reach
  }

  /// The t above which Student's distribution has the rest of a probability of a half or more, 10⁴ at most.
  ///
  /// By Newton's method from 0: the tail is convex above it, so that steps come from below and never go too far.
  package static func studentQuantile(_ probability: Double, degrees: Double) -> Double {
    let constant = exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)) / (Double.pi * degrees).squareRoot()
    var t = 0.0
    for _ in 0..<200 {
      let density = constant * pow(1 + t * t / degrees, -(degrees + 1) / 2)
      let next = min(1e4, t + (studentTail(t, degrees: degrees) - (1 - probability)) / density)
      guard next > t * (1 + 1e-13) else { break }
      t = next
    }
    return t
  }

  /// The x below which a standard normal variable falls with the given probability, by bisection of
  /// Φ(x) = erfc(−x/√2) / 2.
  package static func normalQuantile(_ probability: Double) -> Double {
    if probability == 0.5 { return 0 }
    var (low, high) = (-40.0, 40.0)
    for _ in 0..<200 {
      let middle = (low + high) / 2
      if erfc(-middle / 2.0.squareRoot()) / 2 < probability { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}
