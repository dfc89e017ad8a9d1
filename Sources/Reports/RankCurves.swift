internal import Glibc
internal import Models
internal import RankReduction
internal import Search

/// The change against the kept fraction of the rank, a small plot a site: the kept ones with the largest gains, then
/// the rejected ones that came closest.
struct RankCurves {
  private let kept: [SiteOutcome]
  private let rejected: [SiteOutcome]
  private let leftOut: (kept: Int, rejected: Int)
  private let change: Scale
  private let fraction: Scale
  private let isSquareRoot: Bool
  private let measure: Measure

  private static let (height, total) = (84.0, 104.0)

  init(_ outcome: SearchOutcome, kept keptLimit: Int = 20, rejected rejectedLimit: Int = 10) {
    measure = Measure(outcome.settings)
    func ranked(_ sites: [SiteOutcome]) -> [SiteOutcome] {
      sites.enumerated().sorted { a, b in
        let (x, y) = (a.element.best?.delta ?? .infinity, b.element.best?.delta ?? .infinity)
        return x == y ? a.offset < b.offset : x < y
      }.map(\.element)
    }
    let sites = outcome.sites
    let allKept = ranked(sites.filter { $0.state == .kept && $0.best != nil })
    let allRejected = ranked(sites.filter { $0.state != .kept && $0.best != nil })
    kept = Array(allKept.prefix(keptLimit))
    rejected = Array(allRejected.prefix(rejectedLimit))
    leftOut = (allKept.count - kept.count, allRejected.count - rejected.count)
    let shown = kept + rejected
    // Wide enough for every site's best; bad ranks may lie far above.
    let reach = max(1e-9, shown.compactMap { $0.best.map { abs($0.delta) } }.filter(\.isFinite).max() ?? 0)
    change = Scale(-1.2 * reach, 0.8 * reach)
    let fractions = shown.flatMap { $0.points.map(\.fraction) }
    isSquareRoot = (fractions.filter { $0 > 0 }.min() ?? 1) < 0.1
    fraction = Scale(0, max(0.01, fractions.max() ?? 1) * 1.08, isSquareRoot ? .squareRoot : .linear)
  }

  var isEmpty: Bool { kept.isEmpty && rejected.isEmpty }

  var markup: Markup {
    func block(_ title: String, _ sites: [SiteOutcome], leftOut: Int) -> [Markup] {
      guard !sites.isEmpty else { return [] }
      var parts = [
        element("h3", ["style": "margin:1.6rem 0 .8rem"], .text(title)),
        element("div", ["class": "panels"], sites.map(panel)),
      ]
      if leftOut > 0 { parts.append(element("p", ["class": "left-out"], .text("\(leftOut) more are not shown."))) }
      return parts
    }
    return section(
      "Change against kept fraction",
      note: "Each panel is one matrix (layer · expert · role). x axis: the kept fraction of the rank, in %"
        + "\(isSquareRoot ? ", on a square-root scale" : ""). y axis: the change of the negative log-likelihood on the search "
        + "\(measure.subject), in \(measure.unit), from the model before the matrix was touched, ± one standard error, the same in every "
        + "panel; arrows point to what lies beyond. Below zero is better. Filled points were accepted, small ones were "
        + "stopped early.",
      block("Kept", kept, leftOut: leftOut.kept)
        + block("Rejected, the best first", rejected, leftOut: leftOut.rejected))
  }

  /// Room for the y axis, as a share of the width.
  private static let margin = 0.3

  private func x(_ point: SiteOutcome.Point) -> Double {
    Self.margin + (1 - Self.margin) * fraction.clampedPosition(point.fraction)
  }

  private var axis: [Markup] {
    let digits = max(1, min(8, 1 - Int(floor(log10(change.upper - change.lower)))))
    return [change.lower, 0, change.upper].flatMap { value -> [Markup] in
      let y = Self.height * (1 - change.position(value))
      return [
        Plot.horizontal(y: y, from: Self.margin, value == 0 ? "zero" : "rule"),
        Plot.text(
          value == 0 ? "0" : Numbers.signed(value, digits), x: Self.margin, y: min(max(y + 3.5, 8), Self.height),
          "end small", dx: -5),
      ]
    }
  }

  private func panel(_ site: SiteOutcome) -> Markup {
    let points = site.points
    var marks = axis
    marks.append(
      Plot.curve(
        points.map { (x($0), 1 - change.clampedPosition($0.delta)) },
        height: Self.height,
        "curve thin soft-line"))
    for point in points { marks += mark(point) }
    marks += points.map {
      Plot.text(
        percentLabel($0.fraction), x: x($0), y: 100, "middle small")
    }
    let value = site.best.map { Numbers.signed($0.delta, 4) } ?? ""
    return element(
      "div", ["class": "panel"],
      element("h3", [:], element("b", [:], .text(site.shortName)), element("span", [:], .text(value))),
      Plot.canvas(height: Self.total, label: "\(site.site)", marks))
  }

  private func mark(_ point: SiteOutcome.Point) -> [Markup] {
    let x = x(point)
    func y(_ value: Double) -> Double { Self.height * (1 - change.clampedPosition(value)) }
    let style = direction(point.delta)
    let place = change.position(point.delta)
    let trial = point.trial
    let title =
      "rank \(trial.rank) of \(trial.fullRank): \(Numbers.signed(point.delta, 5)) ± "
      + "\(Numbers.fixed(trial.standardError, 5)) \(measure.unit), "
      + (trial.kept
        ? "kept"
        : point.isComplete ? "rejected" : "stopped after \(trial.windowsUsed) windows")
    if place > 1 || place < 0 { return [arrow(x: x, isUp: place > 1, style, title)] }
    var marks: [Markup] = []
    if trial.standardError.isFinite {
      marks.append(
        Plot.vertical(
          x: x, from: y(point.delta + trial.standardError), to: y(point.delta - trial.standardError), style.line))
    }
    if trial.kept {
      marks.append(Plot.dot(x: x, y: y(point.delta), radius: 4, style.fill, title: title))
    } else {
      let look = Markup.Value("hollow \(style.line.text)")
      marks.append(Plot.dot(x: x, y: y(point.delta), radius: point.isComplete ? 3.5 : 2, look, title: title))
    }
    return marks
  }

  private func arrow(
    x: Double, isUp: Bool, _ style: (fill: Markup.Value, line: Markup.Value), _ title: String
  ) -> Markup {
    element(
      "svg", ["x": .percent(x), "y": .number(isUp ? 0 : Self.height - 6), "width": 1, "height": 1],
      element(
        "path", ["d": isUp ? "M-4 6L0 0L4 6Z" : "M-4 0L0 6L4 0Z", "class": style.fill], Plot.tooltip(title)))
  }

  private func percentLabel(_ share: Double) -> String {
    let percent = 100 * share
    return percent > 0 && percent < 0.95 ? Numbers.significant(percent, 1) : Numbers.fixed(percent, 0)
  }
}
