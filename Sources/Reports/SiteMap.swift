internal import Glibc
internal import Models
internal import Search

/// Layers by matrices: where the gains are. A row is a layer, the last one on top, as signals rise; a column is a
/// matrix of a layer, grouped by expert.
struct SiteMap {
  private let sites: [Site: SiteOutcome]
  private let layers: [Int]
  private let groups: [Group]
  /// The change at which colour is full.
  private let limit: Double

  private struct Group {
    let expert: Int?
    let roles: [Role]

    /// Of the matrices that all tokens pass.
    var sharedName: String { roles.allSatisfy { $0.part == .attention } ? "attention" : "all tokens" }
  }

  private static func shortName(_ role: Role) -> String {
    switch role {
    case .w1, .w2, .w3: role.rawValue
    case .sharedW1: "s1"
    case .sharedW2: "s2"
    case .sharedW3: "s3"
    case .query: "q"
    case .key: "k"
    case .value: "v"
    case .output: "o"
    }
  }

  private static let largestLabelledCount = 40
  /// Digits that fit into a row on a desktop.
  private static let largestDigitCount = 112
  /// Beyond so many cells, tooltips would make the page heavy.
  private static let largestTooltipCount = 4000

  /// - Parameter known: Sites that the search knew of, tried or not.
  init(_ outcome: SearchOutcome, known: [Site] = []) {
    let list = outcome.sites
    sites = Dictionary(uniqueKeysWithValues: list.map { ($0.site, $0) })
    let all = list.map(\.site) + known
    layers = Set(all.map(\.layer)).sorted(by: >)
    let experts = Set(all.compactMap(\.expert)).sorted()
    let roles = Role.allCases.filter { role in all.contains { $0.role == role } }
    let shared = roles.filter { role in all.contains { $0.role == role && $0.expert == nil } }
    groups =
      (shared.isEmpty ? [] : [Group(expert: nil, roles: shared)])
      + experts.map { Group(expert: $0, roles: roles.filter { $0.part == .expert }) }
    let gains = list.compactMap { $0.best?.delta }.filter { $0 < 0 }.map { -$0 }
    let changes = gains.isEmpty ? list.compactMap { $0.best.map { abs($0.delta) } } : gains
    let ordered = changes.filter(\.isFinite).sorted()
    limit = max(1e-9, ordered.isEmpty ? 1e-9 : ordered[min(ordered.count - 1, ordered.count * 9 / 10)])
  }

  var isEmpty: Bool { layers.isEmpty || groups.isEmpty }

  // MARK: Geometry

  private var columnCount: Int { groups.reduce(0) { $0 + $1.roles.count } }
  private var gap: Double { groups.count > 1 ? 0.35 : 0 }
  private var unit: Double { 1 / (Double(columnCount) + gap * Double(groups.count - 1)) }
  private var rowHeight: Double { layers.count <= 12 ? 30 : layers.count <= 40 ? 18 : 13 }
  private static let headHeight = 36.0

  /// The left edge of each column, by group, as a share of the width.
  private var edges: [[Double]] {
    var x = 0.0
    return groups.map { group in
      defer { x += gap * unit }
      return group.roles.map { _ in
        defer { x += unit }
        return x
      }
    }
  }

  // MARK: Drawing

  var markup: Markup {
    let height = Self.headHeight + rowHeight * Double(layers.count)
    let edges = edges
    var marks = heads(edges)
    for (row, layer) in layers.enumerated() {
      let y = Self.headHeight + rowHeight * Double(row)
      for (group, edges) in zip(groups, edges) {
        for (role, x) in zip(group.roles, edges) {
          marks += cell(Site(layer: layer, expert: group.expert, role: role), x: x, y: y)
        }
      }
    }
    let every = layers.count <= 40 ? 1 : 5
    let labels = layers.enumerated().filter { layers.count - 1 == $0.offset || $0.element % every == 0 }.map {
      Plot.text(
        "\($0.element)", x: 1, y: Self.headHeight + rowHeight * (Double($0.offset) + 0.5) + 3.5, "end", dx: -8)
    }
    let title = Plot.text("layer", x: 1, y: Self.headHeight - 8, "end", dx: -8)
    let isCrowded = columnCount > 12
    return element(
      "figure", [:],
      element(
        "div", ["class": isCrowded ? "framed slim crowded scroll" : "framed slim scroll"],
        Plot.canvas(height: height, [title] + labels),
        Plot.canvas(
          height: height, label: "Best change found for each matrix, by layer and expert",
          minimumWidth: columnCount > 24 ? columnCount * 8 : nil, marks)),
      key)
  }

  private func heads(_ edges: [[Double]]) -> [Markup] {
    let labelsRoles = columnCount <= Self.largestLabelledCount
    var marks: [Markup] = []
    for (number, (group, edges)) in zip(groups, edges).enumerated() {
      guard let first = edges.first, let last = edges.last else { continue }
      let middle = (first + last + unit) / 2
      let isSparse = groups.count > 16 && number % 4 != 0
      if !isSparse {
        let word =
          group.expert == nil ? (groups.count > 1 ? group.sharedName : "") : groups.count <= 10 ? "expert " : ""
        marks.append(
          element(
            "text", ["x": .percent(middle), "y": 11, "class": columnCount > 12 ? "middle small" : "middle"],
            element("tspan", ["class": "word"], .text(word)), .text(group.expert.map(String.init) ?? "")))
      }
      if labelsRoles {
        for (role, x) in zip(group.roles, edges) {
          marks.append(Plot.text(Self.shortName(role), x: x + unit / 2, y: Self.headHeight - 8, "role middle small"))
        }
      }
    }
    return marks
  }

  private func cell(_ site: Site, x: Double, y: Double) -> [Markup] {
    let inset = unit * 0.04
    let (width, height) = (unit - 2 * inset, rowHeight - 2)
    let ground = Plot.bar(x: x + inset, y: y + 1, width: width, height: height, "cell")
    guard let outcome = sites[site] else { return [ground] }
    let best = outcome.best
    let strength = best.map { 0.18 + 0.82 * min(1, abs($0.delta) / limit) } ?? 0.3
    let fill = direction(best?.delta ?? 0).fill
    let title = columnCount * layers.count <= Self.largestTooltipCount ? tooltip(outcome) : nil
    switch outcome.state {
    case .kept:
      var marks = [
        ground,
        Plot.bar(x: x + inset, y: y + 1, width: width, height: height, fill, opacity: strength, title: title),
      ]
      if rowHeight >= 18, columnCount * "\(outcome.keptTrial?.rank ?? 0)".count <= Self.largestDigitCount {
        let ink: Markup.Value = strength > 0.6 ? "rank middle small on strong" : "rank middle small ink strong"
        marks.append(Plot.text("\(outcome.keptTrial?.rank ?? 0)", x: x + unit / 2, y: y + rowHeight / 2 + 3.5, ink))
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
    let change = outcome.best.map { "\(Numbers.signed($0.delta, 5)) nats per token" } ?? "not measured by itself"
    return "\(outcome.site): \(what), \(change)"
  }

  private var key: Markup {
    func sample(_ marks: Markup...) -> Markup {
      element("svg", ["width": 20, "height": 14, "aria-hidden": "true"], marks)
    }
    let states = Set(sites.values.map(\.state))
    let isMeasured = sites.values.contains { $0.best != nil }
    let hasUntried = sites.count < columnCount * layers.count
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
        .text("\(Numbers.signed(limit, digits)) or worse, nats per token")))
    return element("figcaption", ["class": "key"], entries)
  }
}
