internal import Models
internal import RankReduction
internal import Search

/// How much of Σσ² the filters take away, by layer, role and expert.
struct RemovedMap {
  private let grid: SiteGrid
  private let kept: [Site: SearchRecord.Trial]
  /// The share at which colour is full.
  private let limit: Double

  init(_ outcome: SearchOutcome) {
    kept = Dictionary(outcome.kept.map { ($0.site, $0) }) { _, last in last }
    limit = max(0.01, kept.values.compactMap(\.removed).filter(\.isFinite).map(abs).max() ?? 1)
    grid = SiteGrid(outcome.kept.map(\.site) + outcome.spectra.map(\.site))
  }

  var isEmpty: Bool { kept.isEmpty || grid.isEmpty }

  var markup: Markup {
    grid.figure(
      label: "Share of the squared singular values that the filters take away, by layer and expert", cell: cell,
      key: key
    )
  }

  private func opacity(_ share: Double) -> Double { 0.08 + 0.8 * min(1, abs(share) / limit) }

  private func cell(_ site: Site, x: Double, y: Double) -> [Markup] {
    let ground = grid.bar(x: x, y: y, "cell")
    guard let trial = kept[site] else { return [ground] }
    let removed = trial.removed.flatMap { $0.isFinite ? $0 : nil }
    let opacity = removed.map(opacity) ?? 0.3
    let style: Markup.Value = removed.map { $0 < 0 ? "loss" : "ink" } ?? "even"
    let title = grid.hasTooltips ? tooltip(trial, removed) : nil
    let marks = [ground, grid.bar(x: x, y: y, style, opacity: opacity, title: title)]
    let text = removed.map { ($0 < -0.005 ? "+" : "") + Numbers.fixed(abs(100 * $0), 0) } ?? "?"
    return marks + [grid.number(text, x: x, y: y, isDark: opacity > 0.55)].compactMap(\.self)
  }

  private func tooltip(_ trial: SearchRecord.Trial, _ removed: Double?) -> String {
    let what =
      removed.map {
        "\(Numbers.percent(abs($0), 1)) of Σσ² \($0 < 0 ? "added" : "taken away")"
      } ?? "not known what is taken away"
    return "\(trial.site): \(what), rank \(trial.rank) of \(trial.fullRank) left"
  }

  private var key: Markup {
    func gradient(_ style: Markup.Value) -> Markup {
      element(
        "svg", ["width": 110, "height": 14, "aria-hidden": "true"],
        (0..<11).map { step in
          Plot.bar(
            x: Double(step) / 11, y: 2, width: 0.92 / 11, height: 10, style, opacity: opacity(limit * Double(step) / 10)
          )
        })
    }
    let most = Numbers.percent(limit, 0)
    var entries = [
      element("span", [:], .text("0\u{A0}%"), gradient("ink"), .text("\(most) of Σσ² taken away"))
    ]
    if kept.values.contains(where: { ($0.removed ?? 0) < 0 }) {
      entries.append(element("span", [:], .text("0\u{A0}%"), gradient("loss"), .text("\(most) added")))
    }
    if kept.count < grid.cellCount {
      entries.append(
        element(
          "span", [:],
          element(
            "svg", ["width": 20, "height": 14, "aria-hidden": "true"],
            Plot.bar(x: 0, y: 0, width: 1, height: 14, "cell")), "left as it is"))
    }
    return element("figcaption", ["class": "key"], entries)
  }
}
