internal import Evaluation
internal import Search

/// Every measured trial of a search of ranks in its order, and the running total of what was accepted.
struct TrialHistory {
  private let outcome: SearchOutcome
  private let trials: [SearchRecord.Trial]
  private let windows: Int
  private let scale: Scale

  private static let (top, height, total) = (14.0, 190.0, 246.0)
  /// More points of one kind than a chart can show only make the page heavy.
  private static let largestPointCount = 3000

  init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    trials = outcome.trials.filter { $0.pairedDelta != nil && $0.delta.isFinite }
    let windows = outcome.search.baseline.windows.count
    self.windows = windows
    // As high as the quarter of the losses that is least: the rest may lie far above.
    let losses = trials.map(\.delta).filter { $0 > 0 }.sorted()
    let complete = trials.filter { $0.windowsUsed >= windows }.map(\.delta).filter { $0 < 0 }
    scale = Scale(spanningZeroAnd: Self.totals(trials) + complete + [losses.isEmpty ? 0 : losses[losses.count / 4]])
  }

  var isEmpty: Bool { trials.count < 2 }

  /// After each trial.
  private static func totals(_ trials: [SearchRecord.Trial]) -> [Double] {
    var sum = 0.0
    return trials.map { trial in
      if trial.kept { sum += trial.delta }
      return sum
    }
  }

  private func x(_ index: Int) -> Double { 0.01 + 0.98 * (Double(index) + 0.5) / Double(trials.count) }
  private func y(_ value: Double) -> Double { Self.top + Self.height * (1 - scale.clampedPosition(value)) }

  var markup: Markup {
    element(
      "figure", [:],
      element(
        "div", ["class": "framed"],
        Plot.verticalAxis(scale, top: Self.top, height: Self.height, total: Self.total),
        Plot.canvas(
          height: Self.total, label: "Change of each of \(trials.count) trials, and the total of those accepted",
          scale.ticks(4).map { Plot.horizontal(y: y($0.value), $0.value == 0 ? "zero" : "rule") }
            + [points(.stopped), points(.rejected), running, points(.accepted)] + axis)), key)
  }

  private enum Kind { case accepted, rejected, stopped }

  private func kind(_ trial: SearchRecord.Trial) -> Kind {
    trial.kept ? .accepted : trial.windowsUsed < windows ? .stopped : .rejected
  }

  private func points(_ kind: Kind) -> Markup {
    let all = trials.indices.filter { self.kind(trials[$0]) == kind }
    let step = max(1, (all.count + Self.largestPointCount - 1) / Self.largestPointCount)
    let shown = stride(from: 0, to: all.count, by: step).map { all[$0] }
    return Plot.dots(
      shown.map { (x($0), y(trials[$0].delta) / Self.total) }, height: Self.total, Self.style(kind))
  }

  private static func style(_ kind: Kind) -> Markup.Value {
    switch kind {
    case .accepted: "dots gain-line"
    case .rejected: "dots ink-line"
    case .stopped: "dots slight even-line"
    }
  }

  /// As a stair.
  private var running: Markup {
    let totals = Self.totals(trials)
    var corners: [(x: Double, y: Double)] = [(x(0), y(0) / Self.total)]
    for (index, trial) in trials.enumerated() where trial.kept {
      let before = index > 0 ? totals[index - 1] : 0
      corners += [(x(index), y(before) / Self.total), (x(index), y(totals[index]) / Self.total)]
    }
    corners.append((x(trials.count - 1), y(totals.last ?? 0) / Self.total))
    return Plot.curve(corners, height: Self.total, "curve gain-line")
  }

  private var axis: [Markup] {
    let bottom = Self.top + Self.height
    let ticks = Scale(0, Double(trials.count)).ticks(5).filter { $0.value > 0 && Int($0.value) <= trials.count }
    return ticks.map { Plot.text($0.label, x: x(Int($0.value) - 1), y: bottom + 18, "middle small") }
      + [Plot.text("trial", x: 0.5, y: bottom + 36, "middle")]
  }

  private var key: Markup {
    let entries = [(Kind.accepted, "accepted"), (.rejected, "rejected"), (.stopped, "stopped early")]
      .filter { kind, _ in trials.contains { self.kind($0) == kind } }
      .map { kind, name in
        element(
          "span", [:],
          element(
            "svg", ["width": 14, "height": 14, "aria-hidden": "true"],
            Plot.dots([(0.5, 0.5)], height: 14, Self.style(kind))), .text(name))
      }
    let line = element(
      "span", [:],
      element("svg", ["width": 26, "height": 14, "aria-hidden": "true"], Plot.horizontal(y: 7, "gain-line")),
      "total of those accepted")
    return element("figcaption", ["class": "key"], entries + (trials.contains(where: \.kept) ? [line] : []))
  }
}
