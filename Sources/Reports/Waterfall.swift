internal import Evaluation
internal import Models
internal import Search

/// How the kept reductions add up, in the order in which they were kept, and what they came to on both texts.
struct Waterfall {
  private let outcome: SearchOutcome
  private let keeps: [SearchRecord.Trial]
  private let scale: Scale

  private var measure: Measure { Measure(outcome.settings) }

  private static let (top, height, total) = (34.0, 220.0, 294.0)
  /// Where the steps end, and where the two totals stand.
  private static let (steps, search, heldOut) = (0.70, 0.785, 0.94)

  init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    keeps = outcome.trials.filter { $0.kept && $0.pairedDelta != nil }
    var sum = 0.0
    let sums = keeps.map { keep in
      sum += keep.delta
      return sum
    }
    scale = Scale(spanningZeroAnd: sums + [outcome.search.delta.mean, outcome.heldOut.delta.mean])
  }

  /// Nothing to show where ranks were assigned without a measurement.
  var isEmpty: Bool { keeps.isEmpty }

  private func y(_ value: Double) -> Double { Self.top + Self.height * (1 - scale.position(value)) }

  var markup: Markup {
    element(
      "figure", ["class": "framed"],
      Plot.verticalAxis(scale, top: Self.top, height: Self.height, total: Self.total),
      Plot.canvas(
        height: Self.total, label: "Running sum of the changes of the \(keeps.count) accepted steps",
        scale.ticks(4).map { Plot.horizontal(y: y($0.value), $0.value == 0 ? "zero" : "rule") } + bars + bands + totals)
    )
  }

  private var stepWidth: Double { min(Self.steps / Double(max(1, keeps.count)), 0.05) }

  private var bars: [Markup] {
    var sum = 0.0
    return keeps.enumerated().map { index, keep in
      let before = sum
      sum += keep.delta
      let upper = max(before, sum)
      return Plot.bar(
        x: stepWidth * (Double(index) + 0.08), y: y(upper), width: stepWidth * 0.84,
        height: max(1, y(min(before, sum)) - y(upper)), direction(keep.delta).fill,
        title: "\(keep.site), rank \(keep.rank) of \(keep.fullRank): \(Numbers.signed(keep.delta, 5)), "
          + "sum \(Numbers.signed(sum, 5)) \(measure.unit)")
    }
  }

  /// The layers that the steps belong to, where they come in few runs.
  private var bands: [Markup] {
    var runs: [(layer: Int, range: Range<Int>)] = []
    for (index, keep) in keeps.enumerated() {
      if let last = runs.last, last.layer == keep.layer {
        runs[runs.count - 1].range = last.range.lowerBound..<index + 1
      } else {
        runs.append((keep.layer, index..<index + 1))
      }
    }
    let bottom = Self.top + Self.height
    guard runs.count <= max(40, Set(keeps.map(\.layer)).count) else { return [] }
    return runs.enumerated().flatMap { number, run -> [Markup] in
      let start = stepWidth * Double(run.range.lowerBound)
      let end = stepWidth * Double(run.range.upperBound)
      var marks: [Markup] = [Plot.horizontal(y: bottom + 8, from: start + 0.002, to: end - 0.002, "zero")]
      if end - start > 0.024 {
        marks.append(
          Plot.text(
            number == 0 && end - start > 0.12 ? "layer \(run.layer)" : "\(run.layer)", x: (start + end) / 2,
            y: bottom + 24, "middle"))
      }
      return marks
    } + [Plot.text("accepted steps in order, by layer", x: 0, y: bottom + 42)]
  }

  private var totals: [Markup] {
    let bottom = Self.top + Self.height
    return [(Self.search, "search", outcome.search), (Self.heldOut, "held-out", outcome.heldOut)].flatMap {
      place, name, comparison -> [Markup] in
      let delta = comparison.delta
      let (upper, lower) = (y(max(0, delta.mean)), y(min(0, delta.mean)))
      var marks = [
        Plot.bar(
          x: place - 0.035, y: upper, width: 0.07, height: max(1, lower - upper), direction(delta.mean).fill,
          opacity: name == "search" ? 0.45 : 1,
          title:
            "\(name) \(measure.subject): \(Numbers.signed(delta.mean, 5)) ± \(Numbers.fixed(delta.standardError, 5)) \(measure.unit)"
        ),
        Plot.text(
          Numbers.signed(delta.mean, 4), x: place,
          y: delta.mean <= 0 ? upper - (name == "search" ? 20 : 6) : lower + (name == "search" ? 29 : 15),
          "middle small ink strong"),
        Plot.text(name, x: place, y: bottom + 24, "middle small"),
        Plot.text("text", x: place, y: bottom + 37, "middle small"),
      ]
      if delta.standardError.isFinite {
        let (low, high) = (y(delta.mean - delta.standardError), y(delta.mean + delta.standardError))
        marks.append(Plot.vertical(x: place, from: high, to: low, "ink-line"))
      }
      return marks
    }
  }
}
