internal import Glibc
internal import Search

/// The change on the windows that judge against the damping k, a line a group of matrices.
struct LadderChart {
  private let ladders: [Ladder]
  private let damping: Scale
  private let change: Scale
  /// Of the change.
  private let unit: String

  private static let (top, height, total) = (22.0, 210.0, 272.0)

  init(_ ladders: [Ladder], unit: String) {
    (self.ladders, self.unit) = (ladders, unit)
    let rungs = ladders.flatMap(\.rungs)
    let dampings = rungs.map(\.damping).filter { $0.isFinite && $0 > 0 }
    damping = Scale((dampings.min() ?? 1) / 1.25, (dampings.max() ?? 1) * 1.25, .logarithmic)
    change = Scale(
      spanningZeroAnd: rungs.flatMap { rung in
        let error = rung.standardError.isFinite ? rung.standardError : 0
        return [rung.delta - error, rung.delta + error]
      })
  }

  var isEmpty: Bool { ladders.isEmpty }

  /// The most cautious damping is on the left.
  private func x(_ value: Double) -> Double { 0.02 + 0.96 * (1 - damping.clampedPosition(value)) }
  /// So that errors of lines that meet stand beside each other.
  private func x(_ value: Double, line: Int) -> Double {
    x(value) + (Double(line) - Double(ladders.count - 1) / 2) * 0.006
  }
  private func y(_ value: Double) -> Double { Self.top + Self.height * (1 - change.clampedPosition(value)) }

  private static func style(_ ladder: Ladder) -> (fill: Markup.Value, line: Markup.Value) {
    let isAttention = ladder.group == "attention"
    return ladder.isAlternative ? ("even", "even-line") : isAttention ? ("ink", "ink-line") : ("gain", "gain-line")
  }

  private static func isDashed(_ ladder: Ladder) -> Bool {
    (ladder.isAlternative && ladder.group == "attention") || ladder.round > 1
  }

  var markup: Markup {
    element(
      "figure", [:],
      element(
        "div", ["class": "framed"],
        Plot.verticalAxis(change, top: Self.top, height: Self.height, total: Self.total),
        Plot.canvas(
          height: Self.total, label: "Change on the judging windows against the damping k, by group of matrices",
          change.ticks(4).map { Plot.horizontal(y: y($0.value), $0.value == 0 ? "zero" : "rule") } + axis + chosen
            + ladders.enumerated().flatMap(marks))),
      key)
  }

  private var axis: [Markup] {
    let bottom = Self.top + Self.height
    let dampings = Set(ladders.flatMap(\.rungs).map(\.damping)).sorted()
    return dampings.map { Plot.text(Numbers.plain($0), x: x($0), y: bottom + 18, "middle small") }
      + [Plot.text("damping k, the most cautious on the left", x: 0.5, y: bottom + 38, "middle")]
  }

  /// The dampings that were chosen, but for those of alternatives.
  private var chosen: [Markup] {
    let dampings = ladders.filter { !$0.isAlternative }.compactMap { $0.chosen?.damping }
    return Set(dampings).sorted().flatMap { damping in
      [
        Plot.vertical(x: x(damping), from: Self.top, to: Self.top + Self.height, "even-line dashed"),
        Plot.text("k = \(Numbers.plain(damping))", x: x(damping), y: Self.top - 8, "middle strong ink"),
      ]
    }
  }

  private func marks(_ line: Int, _ ladder: Ladder) -> [Markup] {
    let style = Self.style(ladder)
    let curve = "curve \(style.line.text)" + (Self.isDashed(ladder) ? " dashed" : "")
    var marks = [
      Plot.curve(
        ladder.rungs.map { (x($0.damping, line: line), y($0.delta) / Self.total) }, height: Self.total,
        Markup.Value(curve))
    ]
    for rung in ladder.rungs {
      let isChosen = rung.number == ladder.chosen?.number
      if rung.standardError.isFinite {
        marks.append(
          Plot.vertical(
            x: x(rung.damping, line: line), from: y(rung.delta + rung.standardError),
            to: y(rung.delta - rung.standardError),
            style.line))
      }
      marks.append(
        Plot.dot(
          x: x(rung.damping, line: line), y: y(rung.delta), radius: isChosen ? 6 : 3.5,
          rung.passes ? style.fill : Markup.Value("hollow \(style.line.text)"), title: tooltip(rung, ladder)))
    }
    return marks
  }

  private func tooltip(_ rung: SearchRecord.Rung, _ ladder: Ladder) -> String {
    "\(ladder.name), k = \(Numbers.plain(rung.damping)): \(Numbers.signed(rung.delta, 5)) ± "
      + "\(Numbers.fixed(rung.standardError, 5)) \(unit), \(rung.passes ? "passes" : "does not pass")"
  }

  private var key: Markup {
    var entries = ladders.map { ladder -> Markup in
      let style = Self.style(ladder)
      return element(
        "span", [:],
        element(
          "svg", ["width": 26, "height": 14, "aria-hidden": "true"],
          Plot.horizontal(y: 7, Markup.Value(style.line.text + (Self.isDashed(ladder) ? " dashed" : ""))),
          Plot.dot(x: 0.5, y: 7, radius: 3.5, style.fill)),
        .text(ladder.name + (ladder.isAlternative ? ", for comparison" : "")))
    }
    func add(_ text: String, _ mark: Markup) {
      entries.append(
        element("span", [:], element("svg", ["width": 14, "height": 14, "aria-hidden": "true"], mark), .text(text)))
    }
    let rungs = ladders.flatMap(\.rungs)
    if ladders.contains(where: { $0.chosen != nil }) {
      add("chosen", Plot.dot(x: 0.5, y: 7, radius: 6, "even"))
    }
    if rungs.contains(where: { !$0.passes }) {
      add("does not pass", Plot.dot(x: 0.5, y: 7, radius: 3.5, "hollow even-line"))
    }
    return element("figcaption", ["class": "key"], entries)
  }
}
