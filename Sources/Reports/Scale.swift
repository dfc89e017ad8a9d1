internal import Glibc

/// Where the values of an axis lie, as shares of its length.
struct Scale {
  enum Shape { case linear, squareRoot, logarithmic }

  let lower: Double
  let upper: Double
  let shape: Shape

  /// An axis always has a length: equal or unusable ends are moved apart.
  init(_ lower: Double, _ upper: Double, _ shape: Shape = .linear) {
    let usable = lower.isFinite && upper.isFinite && lower < upper && (shape != .logarithmic || lower > 0)
    self.lower = usable ? lower : shape == .logarithmic ? 0.1 : 0
    self.upper = usable ? upper : 1
    self.shape = shape
  }

  /// Spans zero and the values, with a margin beyond the values.
  init(spanningZeroAnd values: some Sequence<Double>, margin: Double = 0.06) {
    let finite = values.filter(\.isFinite)
    let (low, high) = (min(0, finite.min() ?? 0), max(0, finite.max() ?? 0))
    let pad = margin * (high - low)
    self.init(low < 0 ? low - pad : 0, high > 0 ? high + pad : 0)
    if high == low { self = Scale(-1e-3, 1e-3) }
  }

  /// 0 at the lower end, 1 at the upper one; beyond them for values outside.
  func position(_ value: Double) -> Double {
    func place(_ value: Double) -> Double {
      switch shape {
      case .linear: value
      case .squareRoot: max(0, value).squareRoot()
      case .logarithmic: log(max(value, lower))
      }
    }
    return (place(value) - place(lower)) / (place(upper) - place(lower))
  }

  func clampedPosition(_ value: Double) -> Double { min(1, max(0, position(value))) }

  /// About `count` round numbers within a linear axis.
  func ticks(_ count: Int) -> [Tick] {
    let rough = (upper - lower) / Double(max(1, count))
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1.0, 2, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10)
    let digits = max(0, Int(-floor(log10(step) + 1e-9)))
    let first = Int(ceil(lower / step - 1e-9))
    let last = Int(floor(upper / step + 1e-9))
    guard first <= last else { return [] }
    return (first...last).map { Tick(value: Double($0) * step, digits: digits) }
  }

  struct Tick {
    let value: Double
    let digits: Int
    var label: String { Numbers.fixed(value, digits) }
    var signedLabel: String { Numbers.signed(value, digits) }
  }
}
