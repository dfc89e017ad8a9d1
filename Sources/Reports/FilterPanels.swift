internal import Models
internal import RankReduction
internal import Search

/// The filters along their spectra, a small plot a matrix: those that are predicted to change the most.
struct FilterPanels {
  private struct Panel {
    let trial: SearchRecord.Trial
    /// f, by direction.
    let factors: [Float]
    /// σ, by direction; empty where the spectrum is not known.
    let values: [Double]
  }

  private let panels: [Panel]
  private let leftOut: Int
  /// The most that a factor of this search's filters may be.
  private let largest: Double

  private static let (height, total) = (84.0, 104.0)
  /// More steps than a small plot can show only make the page heavy.
  private static let largestStepCount = 128

  init(_ outcome: SearchOutcome, limit: Int = 20) {
    let spectra = Dictionary(
      outcome.spectra.compactMap { record in record.spectrum.map { (record.site, $0.singularValues) } }
    ) { first, _ in first }
    let ordered = outcome.kept.enumerated().sorted { a, b in
      a.element.delta == b.element.delta ? a.offset < b.offset : a.element.delta < b.element.delta
    }
    let all = ordered.map(\.element).compactMap { trial -> Panel? in
      let filter = outcome.reduction(of: trial).filter
      // One factor for all directions makes no picture.
      guard !filter.isScale, (try? filter.check(fullRank: trial.fullRank)) != nil else { return nil }
      let values = spectra[trial.site] ?? []
      return Panel(
        trial: trial, factors: filter.factors(fullRank: trial.fullRank),
        values: values.count == trial.fullRank ? values : [])
    }
    panels = Array(all.prefix(limit))
    leftOut = all.count - panels.count
    largest = outcome.settings.filter == .reweight ? 2 : 1
  }

  var isEmpty: Bool { panels.isEmpty }

  var markup: Markup {
    let isBinned = panels.contains { $0.factors.count > Self.largestStepCount }
    var parts = [element("div", ["class": "panels"], panels.map(panel))]
    if leftOut > 0 {
      parts.append(element("p", ["class": "left-out"], .text("\(Numbers.grouped(leftOut)) more are not shown.")))
    }
    return section(
      "The filters",
      note:
        "Each panel is one matrix (layer · expert · role), those with the largest predicted change first. x axis: its "
        + "singular directions, from the strongest. Filled: the factor f that each is multiplied by, from 0 to "
        + "\(Numbers.fixed(largest, 0))\(largest > 1 ? ", with a line at 1" : "")"
        + "\(isBinned ? "; each step is the mean of several directions" : ""). The line is the spectrum, σ from 0 to the "
        + "largest. The number is the share of Σσ² that is taken away.", parts)
  }

  private func panel(_ panel: Panel) -> Markup {
    let removed = panel.trial.removed.map { Numbers.percent($0, 0) } ?? ""
    return element(
      "div", ["class": "panel"],
      element(
        "h3", [:], element("b", [:], .text(panel.trial.site.shortName)), element("span", [:], .text(removed))),
      Plot.canvas(height: Self.total, label: "Filter of \(panel.trial.site)", marks(panel)))
  }

  private func marks(_ panel: Panel) -> [Markup] {
    let count = panel.factors.count
    let steps = Self.steps(panel.factors.map(Double.init)).map { ($0.x, 1 - $0.y / largest) }
    var marks = [Plot.area(steps, height: Self.height, "gain faded"), Plot.horizontal(y: Self.height, "rule")]
    if largest > 1 { marks.append(Plot.horizontal(y: Self.height * (1 - 1 / largest), "even-line dashed")) }
    if let first = panel.values.first, first > 0, count > 1 {
      marks.append(
        Plot.curve(
          SpectrumPlots.thinned(count).map { (Double($0) / Double(count - 1), 1 - panel.values[$0] / first) },
          height: Self.height, "curve thin soft-line"))
    }
    return marks + [Plot.text("1", x: 0, y: 100, "small"), Plot.text("\(count)", x: 1, y: 100, "small end")]
  }

  /// The corners of a stair over the unit interval, a step a factor or, where there are many, the mean of several.
  private static func steps(_ factors: [Double]) -> [(x: Double, y: Double)] {
    let count = min(factors.count, largestStepCount)
    var corners: [(x: Double, y: Double)] = []
    for step in 0..<count {
      let range = step * factors.count / count..<(step + 1) * factors.count / count
      let mean = factors[range].reduce(0, +) / Double(range.count)
      let left = Double(range.lowerBound) / Double(factors.count)
      let right = Double(range.upperBound) / Double(factors.count)
      if let last = corners.last, last.y == mean {
        corners[corners.count - 1].x = right
      } else {
        corners += [(left, mean), (right, mean)]
      }
    }
    return corners
  }
}
