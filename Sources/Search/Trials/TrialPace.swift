internal import Models

/// How long the trials that are left will take, by what those took that were made in this process.
///
/// A trial in the first layer runs the whole model, one in the last layer little of it. So time is counted by layer: from
/// two measured layers on, as a fixed part and one that grows with what a trial of the layer computes; before that, in
/// proportion to it.
package struct TrialPace {
  /// By layer: multiplications that a trial takes for a token, roughly.
  private let costs: [Double]
  /// By layer: trials that are still to come.
  private var expected: [Int]
  private var done = 0.0
  private var measured: [Int: (count: Double, seconds: Double)] = [:]

  /// Trials that nothing is known of cost the same.
  package init(layerCosts: [Double], headCost: Double) {
    var above = headCost
    var costs: [Double] = []
    for cost in layerCosts.reversed() {
      // The changed matrix is one of several in its layer.
      costs.append(above + cost / 8)
      above += cost
    }
    self.costs = costs.reversed()
    expected = Array(repeating: 0, count: costs.count)
  }

  init(_ model: Model) {
    let configuration = model.configuration
    self.init(
      layerCosts: model.layerWork,
      headCost: Double(configuration.vocabularySize) * Double(configuration.hiddenSize))
  }

  /// Says which trials may come, by layer, instead of what was said before.
  package mutating func expect(_ counts: [Int: Int]) {
    for layer in expected.indices { expected[layer] = counts[layer] ?? 0 }
  }

  package func expected(layer: Int) -> Int { expected.indices.contains(layer) ? expected[layer] : 0 }

  package mutating func expect(atMost count: Int, layer: Int) {
    if expected.indices.contains(layer) { expected[layer] = min(expected[layer], max(0, count)) }
  }

  /// Counts a trial.
  ///
  /// - Parameter seconds: What it took; nil for one that was read.
  package mutating func count(layer: Int, seconds: Double?) {
    guard costs.indices.contains(layer) else { return }
    expected[layer] = max(0, expected[layer] - 1)
    done += costs[layer]
    guard let seconds else { return }
    let before = measured[layer] ?? (0, 0)
    measured[layer] = (before.count + 1, before.seconds + seconds)
  }

  /// The share of all trials, by their cost, that is done.
  package var share: Double {
    let left = zip(costs, expected).reduce(0) { $0 + $1.0 * Double($1.1) }
    return done + left > 0 ? done / (done + left) : 1
  }

  /// Nil before anything was measured.
  ///
  /// - Parameter most: Trials that may be made at most.
  package func secondsLeft(most: Int = .max) -> Double? {
    guard let seconds = secondsOfTrial else { return nil }
    var (left, places) = (0.0, most)
    for layer in expected.indices.reversed() where places > 0 {
      let count = min(expected[layer], places)
      left += Double(count) * seconds(costs[layer])
      places -= count
    }
    return left
  }

  /// What a trial takes by its cost: the line that fits best to what was measured.
  private var secondsOfTrial: ((Double) -> Double)? {
    let points = measured.map { (cost: costs[$0.key], count: $0.value.count, mean: $0.value.seconds / $0.value.count) }
    let count = points.reduce(0) { $0 + $1.count }
    guard count > 0 else { return nil }
    let cost = points.reduce(0) { $0 + $1.count * $1.cost } / count
    let mean = points.reduce(0) { $0 + $1.count * $1.mean } / count
    let spread = points.reduce(0) { $0 + $1.count * ($1.cost - cost) * ($1.cost - cost) }
    let slope =
      spread > 0 ? points.reduce(0) { $0 + $1.count * ($1.cost - cost) * ($1.mean - mean) } / spread : -1
    guard slope >= 0, mean - slope * cost >= 0 else { return { mean * $0 / cost } }
    return { mean + slope * ($0 - cost) }
  }
}

/// How far the trials of a search have come, for those who watch.
package struct TrialProgress: Sendable {
  /// How many there will be at most.
  package let expected: Int
  /// From 0 to 1; by what trials cost, where that is known.
  package let share: Double
  /// By what trials in this process took; nil where nothing was measured yet.
  package let secondsLeft: Double?
  /// Whether it was made now, and not read from the journal.
  package let isNew: Bool
}
