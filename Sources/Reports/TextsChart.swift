internal import Evaluation
internal import Search

/// Perplexity before and after by text, with the paired change as a point and its error as a line.
struct TextsChart {
  private let outcome: SearchOutcome
  private let scale: Scale

  init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    let deltas = [outcome.heldOut, outcome.search].flatMap { [$0.delta] + $0.corpora.map(\.delta) }
    scale = Scale(
      spanningZeroAnd: deltas.flatMap { delta in
        let reach = delta.standardError.isFinite ? 2 * delta.standardError : 0
        return [delta.mean - reach, delta.mean + reach]
      })
  }

  var markup: Markup {
    let rows =
      group("Held-out text: what the search never saw", outcome.heldOut, name: "all held-out text")
      + group(
        FilterText(outcome) == nil
          ? "Search text: what trials were scored on" : "Search text: what made the filters and chose k",
        outcome.search, name: "all search text")
    return element(
      "table", ["class": "texts"],
      element(
        "thead", [:],
        element(
          "tr", [:], element("th", [:], "text"), element("th", [:], "perplexity before"), element("th", [:], "after"),
          element("th", [:], "change, nats per token"), element("th", ["class": "graph"], ""))),
      element("tbody", [:], rows + [axis]))
  }

  private func group(_ title: String, _ comparison: SearchOutcome.Comparison, name: String) -> [Markup] {
    let names = distinctNames(comparison.corpora.map(\.path))
    var rows = [element("tr", ["class": "group"], element("td", ["colspan": 5], .text(title)))]
    rows.append(row(name, comparison.baseline, comparison.result, "whole"))
    if comparison.corpora.count > 1 {
      rows += zip(comparison.corpora, names).map { row($1, $0.baseline, $0.result, "part") }
    } else if let only = names.first {
      rows[1] = row(only, comparison.baseline, comparison.result, "whole")
    }
    return rows
  }

  private func row(_ name: String, _ before: Score, _ after: Score, _ style: Markup.Value) -> Markup {
    let delta = PairedDelta(from: before, to: after)
    return element(
      "tr", ["class": style], element("td", [:], .text(name)),
      element("td", ["class": "before"], .text(Numbers.fixed(before.perplexity, 3))),
      element("td", [:], .text(Numbers.fixed(after.perplexity, 3))),
      element(
        "td", [:], .text(Numbers.signed(delta.mean, 4)),
        element("span", ["class": "minor"], .text(" ± \(Numbers.fixed(delta.standardError, 4))"))),
      element("td", ["class": "graph"], interval(delta, isWhole: style.text == "whole")))
  }

  private func interval(_ delta: PairedDelta, isWhole: Bool) -> Markup {
    let (mean, error) = (delta.mean, delta.standardError.isFinite ? delta.standardError : 0)
    // Grey where zero is within reach: two standard errors.
    let style = direction(abs(mean) > 2 * error && delta.standardError.isFinite ? mean : 0)
    func x(_ value: Double) -> Double { scale.clampedPosition(value) }
    return Plot.canvas(
      height: 20,
      [
        Plot.vertical(x: scale.position(0), from: -8, to: 28, "rule"),
        Plot.thickLine(y: 10, from: x(mean - 2 * error), to: x(mean + 2 * error), width: 1.25, style.line),
        Plot.thickLine(y: 10, from: x(mean - error), to: x(mean + error), width: 3, style.line),
        Plot.dot(x: x(mean), y: 10, radius: isWhole ? 5 : 3.5, style.fill),
      ])
  }

  private var axis: Markup {
    let ticks = scale.ticks(4)
    let marks = ticks.map { tick in
      Plot.text(tick.signedLabel, x: scale.position(tick.value), y: 12, "middle")
    }
    return element(
      "tr", ["class": "axis"], element("td", ["colspan": 4], ""),
      element("td", ["class": "graph"], Plot.canvas(height: 16, marks)))
  }
}

/// File names, with as much of their folders as it takes to tell them apart.
func distinctNames(_ paths: [String]) -> [String] {
  let parts = paths.map { $0.split(separator: "/").map(String.init) }
  return parts.indices.map { index in
    let own = parts[index]
    guard !own.isEmpty else { return paths[index] }
    for length in 1...own.count {
      let name = own.suffix(length)
      let isShared = parts.indices.contains { $0 != index && Array(parts[$0].suffix(length)) == Array(name) }
      if !isShared || length == own.count { return name.joined(separator: "/") }
    }
    return paths[index]
  }
}
