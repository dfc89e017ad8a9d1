internal import Evaluation

/// The result and its alternatives as bars from zero, each with its interval of 95 %: the longest to the left is best.
struct AlternativesChart {
  private let alternatives: Alternatives
  private let scale: Scale

  init(_ alternatives: Alternatives) {
    self.alternatives = alternatives
    scale = Scale(
      spanningZeroAnd: alternatives.rows.flatMap { row in
        [row.change.mean] + (row.interval.map { [$0.lowerBound, $0.upperBound] } ?? [])
      })
  }

  var markup: Markup {
    let head = [
      alternatives.place, alternatives.valueName, "change, \(alternatives.unit)", "result against it",
    ]
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
      element("td", ["class": "perplexity"], .text(row.value)),
      element("td", [:], number(row.change)),
      element("td", ["class": "against"], row.result.map(number) ?? "–"),
      element("td", ["class": "graph"], bar(row, isResult: row.result == nil)))
  }

  private func number(_ delta: PairedDelta) -> Markup {
    [
      .text(Numbers.signed(delta.mean, 4)),
      element("span", ["class": "minor"], .text(" ± \(Numbers.fixed(delta.standardError, 4))")),
    ]
  }

  private func bar(_ row: Alternatives.Row, isResult: Bool) -> Markup {
    let (zero, end) = (scale.position(0), scale.clampedPosition(row.change.mean))
    let interval = row.interval.map {
      Plot.thickLine(
        y: 11, from: scale.clampedPosition($0.lowerBound), to: scale.clampedPosition($0.upperBound), width: 1.5,
        "ink-line")
    }
    return Plot.canvas(
      height: 22,
      [
        Plot.bar(
          x: min(zero, end), y: 3, width: abs(zero - end), height: 16,
          isResult ? direction(row.change.mean).fill : "even", opacity: isResult ? 1 : 0.45)
      ] + [interval].compactMap(\.self) + [Plot.vertical(x: zero, from: -8, to: 30, "zero")])
  }

  private var axis: Markup {
    element(
      "tr", ["class": "axis"], element("td", ["colspan": 4], ""),
      element("td", ["class": "graph"], Plot.horizontalAxis(scale)))
  }
}
