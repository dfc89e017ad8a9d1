internal import Evaluation

/// The result and its alternatives as bars from zero, each with its interval of 95 %: the longest to the left is best.
struct AlternativesChart {
  private let alternatives: Alternatives
  private let scale: Scale

  init(_ alternatives: Alternatives) {
    self.alternatives = alternatives
    scale = Scale(
      spanningZeroAnd: alternatives.rows.flatMap { row in
        let reach = Self.reach(row.change)
        return [row.change.mean - reach, row.change.mean + reach]
      })
  }

  /// Of an interval of 95 %; none where one window tells nothing of its error.
  private static func reach(_ delta: PairedDelta) -> Double {
    delta.standardError.isFinite ? 1.96 * delta.standardError : 0
  }

  var markup: Markup {
    let head = ["on all held-out text", "change, nats per token", "result against it"]
    return element(
      "table", ["class": "beside"],
      element(
        "thead", [:],
        element(
          "tr", [:], head.map { element("th", [:], .text($0)) } + [element("th", ["class": "graph"], "")])),
      element("tbody", [:], alternatives.rows.map(row) + [axis]))
  }

  private func row(_ row: Alternatives.Row) -> Markup {
    element(
      "tr", ["class": row.result == nil ? "whole" : "part"], element("td", [:], .text(row.name)),
      element("td", [:], number(row.change)),
      element("td", ["class": "against"], row.result.map(number) ?? "–"),
      element("td", ["class": "graph"], bar(row.change, isResult: row.result == nil)))
  }

  private func number(_ delta: PairedDelta) -> Markup {
    [
      .text(Numbers.signed(delta.mean, 4)),
      element("span", ["class": "minor"], .text(" ± \(Numbers.fixed(delta.standardError, 4))")),
    ]
  }

  private func bar(_ delta: PairedDelta, isResult: Bool) -> Markup {
    let (zero, end) = (scale.position(0), scale.clampedPosition(delta.mean))
    let reach = Self.reach(delta)
    return Plot.canvas(
      height: 22,
      [
        Plot.bar(
          x: min(zero, end), y: 3, width: abs(zero - end), height: 16, isResult ? direction(delta.mean).fill : "even",
          opacity: isResult ? 1 : 0.45),
        Plot.thickLine(
          y: 11, from: scale.clampedPosition(delta.mean - reach), to: scale.clampedPosition(delta.mean + reach),
          width: 1.5, "ink-line"),
        Plot.vertical(x: zero, from: -8, to: 30, "zero"),
      ])
  }

  private var axis: Markup {
    let marks = scale.ticks(4).map { tick in
      Plot.text(tick.signedLabel, x: scale.position(tick.value), y: 12, "middle")
    }
    return element(
      "tr", ["class": "axis"], element("td", ["colspan": 3], ""),
      element("td", ["class": "graph"], Plot.canvas(height: 16, marks)))
  }
}
