internal import Glibc
internal import Models
internal import Search

/// Layers by matrices: where the gains are. A row is a layer, the last one on top, as signals rise; a column is a
/// matrix of a layer, grouped by expert.
struct SiteMap {
  private let sites: [Site: SiteOutcome]
  private let grid: SiteGrid
  private let unit: String
  /// The change at which colour is full.
  private let limit: Double

  /// - Parameter known: Sites that the search knew of, tried or not.
  init(_ outcome: SearchOutcome, known: [Site] = []) {
    unit = Measure(outcome.settings).unit
    let list = outcome.sites
    sites = Dictionary(uniqueKeysWithValues: list.map { ($0.site, $0) })
    grid = SiteGrid(list.map(\.site) + known)
    let gains = list.compactMap { $0.best?.delta }.filter { $0 < 0 }.map { -$0 }
    let changes = gains.isEmpty ? list.compactMap { $0.best.map { abs($0.delta) } } : gains
    let ordered = changes.filter(\.isFinite).sorted()
    limit = max(1e-9, ordered.isEmpty ? 1e-9 : ordered[min(ordered.count - 1, ordered.count * 9 / 10)])
  }

  var isEmpty: Bool { grid.isEmpty }

  // MARK: Drawing

  var markup: Markup {
    grid.figure(label: "Best change found for each matrix, by layer and expert", cell: cell, key: key)
  }

  private func cell(_ site: Site, x: Double, y: Double) -> [Markup] {
    let (unit, rowHeight) = (grid.unit, grid.rowHeight)
    let ground = grid.bar(x: x, y: y, "cell")
    guard let outcome = sites[site] else { return [ground] }
    let best = outcome.best
    let strength = best.map { 0.18 + 0.82 * min(1, abs($0.delta) / limit) } ?? 0.3
    let fill = direction(best?.delta ?? 0).fill
    let title = grid.hasTooltips ? tooltip(outcome) : nil
    switch outcome.state {
    case .kept:
      var marks = [
        ground,
        grid.bar(x: x, y: y, fill, opacity: strength, title: title),
      ]
      if let number = grid.number("\(outcome.keptTrial?.rank ?? 0)", x: x, y: y, isDark: strength > 0.6) {
        marks.append(number)
      } else {
        marks.append(Plot.dot(x: x + unit / 2, y: y + rowHeight / 2, radius: 1.5, strength > 0.6 ? "on" : "ink"))
      }
      return marks
    case .rejected:
      return [
        ground,
        Plot.bar(
          x: x + unit * 0.3, y: y + rowHeight * 0.3, width: unit * 0.4, height: rowHeight * 0.4, fill,
          opacity: strength,
          title: title),
      ]
    case .stoppedEarly:
      return [
        ground, Plot.dot(x: x + unit / 2, y: y + rowHeight / 2, radius: rowHeight > 20 ? 2.5 : 1.8, fill, title: title),
      ]
    }
  }

  private func tooltip(_ outcome: SiteOutcome) -> String {
    guard let trial = outcome.keptTrial ?? outcome.best?.trial else { return "\(outcome.site): not measured" }
    let rank = "rank \(trial.rank) of \(trial.fullRank)"
    let what =
      switch outcome.state {
      case .kept: "kept at \(rank)"
      case .rejected: "rejected; best at \(rank)"
      case .stoppedEarly: "every trial stopped early; best at \(rank)"
      }
    let change = outcome.best.map { "\(Numbers.signed($0.delta, 5)) \(unit)" } ?? "not measured by itself"
    return "\(outcome.site): \(what), \(change)"
  }

  private var key: Markup {
    func sample(_ marks: Markup...) -> Markup {
      element("svg", ["width": 20, "height": 14, "aria-hidden": "true"], marks)
    }
    let states = Set(sites.values.map(\.state))
    let isMeasured = sites.values.contains { $0.best != nil }
    let hasUntried = sites.count < grid.cellCount
    var entries: [Markup] = []
    func add(_ text: String, _ marks: Markup...) {
      entries.append(element("span", [:], sample(.fragment(marks)), .text(text)))
    }
    let ground = Plot.bar(x: 0, y: 0, width: 1, height: 14, "cell")
    if states.contains(.kept) {
      add(
        "kept, with its rank", ground,
        Plot.bar(x: 0, y: 0, width: 1, height: 14, isMeasured ? "gain" : "even", opacity: isMeasured ? 0.8 : 0.3))
    }
    if states.contains(.rejected) {
      add("rejected", ground, Plot.bar(x: 0.3, y: 4, width: 0.4, height: 6, "loss", opacity: 0.8))
    }
    if states.contains(.stoppedEarly) { add("stopped early", ground, Plot.dot(x: 0.5, y: 7, radius: 2.5, "loss")) }
    if hasUntried { add("not tried", ground) }
    guard isMeasured else { return element("figcaption", ["class": "key"], entries) }
    let digits = max(1, min(8, 1 - Int(floor(log10(limit)))))
    let gradient = (0..<11).map { step -> Markup in
      let value = Double(step - 5) / 5
      return Plot.bar(
        x: Double(step) / 11, y: 2, width: 0.92 / 11, height: 10, direction(value).fill,
        opacity: value == 0 ? 0.15 : 0.18 + 0.82 * abs(value))
    }
    entries.append(
      element(
        "span", [:], .text("\(Numbers.signed(-limit, digits)) or better"),
        element("svg", ["width": 110, "height": 14, "aria-hidden": "true"], gradient),
        .text("\(Numbers.signed(limit, digits)) or worse, \(unit)")))
    return element("figcaption", ["class": "key"], entries)
  }
}
