internal import Evaluation
internal import Search

/// Perplexity before and after by text, with the paired change as a point and its error as a line.
struct TextsChart {
  private let outcome: SearchOutcome
  private let measure: Measure
  private let scale: Scale

  init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    measure = Measure(outcome.settings)
    let comparisons = [outcome.heldOut, outcome.search]
    let means = comparisons.flatMap { [$0.delta.mean] + $0.corpora.map(\.delta.mean) }
    let intervals = comparisons.flatMap { [$0.interval] + $0.corpora.map(\.interval) }.compactMap(\.self)
    scale = Scale(spanningZeroAnd: means + intervals.flatMap { [$0.lowerBound, $0.upperBound] })
  }

  var markup: Markup {
    let names = TextNames(outcome)
    let rows =
      group(
        "Held-out \(measure.subject): what the search never saw", outcome.heldOut, names.heldOut,
        whole: "all held-out \(measure.subject)")
      + group(
        FilterText(outcome) == nil
          ? "Search \(measure.subject): what trials were scored on"
          : "Search \(measure.subject): what made the filters and chose k",
        outcome.search, names.search, whole: "all search \(measure.subject)")
    return element(
      "table", ["class": "texts"],
      element(
        "thead", [:],
        element(
          "tr", [:], element("th", [:], "text"), element("th", [:], .text("\(measure.name) before")),
          element("th", [:], "after"),
          element("th", [:], .text("change, \(measure.unit)")), element("th", ["class": "graph"], ""))),
      element("tbody", [:], rows + [axis]))
  }

  private func group(
    _ title: String, _ comparison: SearchOutcome.Comparison, _ names: [String], whole: String
  ) -> [Markup] {
    let title = element("tr", ["class": "group"], element("td", ["colspan": 5], .text(title)))
    let corpora = zip(names, comparison.corpora).map { name, corpus in
      row(name, corpus.baseline, corpus.result, corpus.interval, "part")
    }
    let name = corpora.count == 1 ? names.first ?? whole : whole
    let all = row(name, comparison.baseline, comparison.result, comparison.interval, "whole")
    return [title, all] + (corpora.count > 1 ? corpora : [])
  }

  private func row(
    _ name: String, _ before: Score, _ after: Score, _ interval: ClosedRange<Double>?, _ style: Markup.Value
  ) -> Markup {
    let delta = PairedDelta(from: before, to: after)
    return element(
      "tr", ["class": style], element("td", [:], .text(name)),
      element("td", ["class": "before"], .text(Measure.value(before))),
      element("td", [:], .text(Measure.value(after))),
      element(
        "td", [:], .text(Numbers.signed(delta.mean, 4)),
        element("span", ["class": "minor"], .text(" ± \(Numbers.fixed(delta.standardError, 4))"))),
      element("td", ["class": "graph"], mark(delta.mean, interval, isWhole: style.text == "whole")))
  }

  private func mark(_ mean: Double, _ interval: ClosedRange<Double>?, isWhole: Bool) -> Markup {
    // Grey where zero is within the interval.
    let style = direction(interval.map { $0.contains(0) ? 0 : mean } ?? 0)
    func x(_ value: Double) -> Double { scale.clampedPosition(value) }
    var marks = [Plot.vertical(x: scale.position(0), from: -8, to: 28, "rule")]
    if let interval {
      marks.append(
        Plot.thickLine(
          y: 10, from: x(interval.lowerBound), to: x(interval.upperBound), width: isWhole ? 2.5 : 1.5, style.line))
    }
    return Plot.canvas(height: 20, marks + [Plot.dot(x: x(mean), y: 10, radius: isWhole ? 5 : 3.5, style.fill)])
  }

  private var axis: Markup {
    element(
      "tr", ["class": "axis"], element("td", ["colspan": 4], ""),
      element("td", ["class": "graph"], Plot.horizontalAxis(scale)))
  }
}
