internal import Models

/// The ground of maps of a model: a row is a layer, the last one on top, as signals rise; a column is a matrix of a layer,
/// grouped by expert.
struct SiteGrid {
  private let layers: [Int]
  private let groups: [Group]

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
    case .queryDown: "qa"
    case .queryUp: "qb"
    case .keyValueDown: "ka"
    case .keyValueUp: "kb"
    case .deltaInput: "di"
    case .deltaGate: "dz"
    case .deltaInputAndGate: "di"
    case .deltaOutput: "do"
    }
  }

  private static let largestLabelledCount = 40
  /// Digits that fit into a row on a desktop.
  private static let largestDigitCount = 112
  /// Beyond so many cells, tooltips would make the page heavy.
  private static let largestTooltipCount = 4000

  init(_ sites: [Site]) {
    layers = Set(sites.map(\.layer)).sorted(by: >)
    let experts = Set(sites.compactMap(\.expert)).sorted()
    let roles = Role.allCases.filter { role in sites.contains { $0.role == role } }
    let shared = roles.filter { role in sites.contains { $0.role == role && $0.expert == nil } }
    groups =
      (shared.isEmpty ? [] : [Group(expert: nil, roles: shared)])
      + experts.map { Group(expert: $0, roles: roles.filter { $0.part == .expert }) }
  }

  var isEmpty: Bool { layers.isEmpty || groups.isEmpty }

  // MARK: Geometry

  private var columnCount: Int { groups.reduce(0) { $0 + $1.roles.count } }
  var cellCount: Int { columnCount * layers.count }
  var hasTooltips: Bool { cellCount <= Self.largestTooltipCount }
  private var gap: Double { groups.count > 1 ? 0.35 : 0 }
  /// The width of a column, as a share of the whole.
  var unit: Double { 1 / (Double(columnCount) + gap * Double(groups.count - 1)) }
  var rowHeight: Double { layers.count <= 12 ? 30 : layers.count <= 40 ? 18 : 13 }
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

  /// A rectangle that fills a cell.
  func bar(x: Double, y: Double, _ style: Markup.Value, opacity: Double = 1, title: String? = nil) -> Markup {
    Plot.bar(
      x: x + unit * 0.04, y: y + 1, width: unit * 0.92, height: rowHeight - 2, style, opacity: opacity, title: title)
  }

  /// A number in a cell; nil where there is no room for it.
  func number(_ text: String, x: Double, y: Double, isDark: Bool) -> Markup? {
    guard rowHeight >= 18, columnCount * text.count <= Self.largestDigitCount else { return nil }
    return Plot.text(
      text, x: x + unit / 2, y: y + rowHeight / 2 + 3.5,
      isDark ? "rank middle small on strong" : "rank middle small ink strong")
  }

  /// - Parameter cell: Draws a site, given the left and the upper edge of its cell.
  func figure(label: String, cell: (Site, _ x: Double, _ y: Double) -> [Markup], key: Markup) -> Markup {
    let height = Self.headHeight + rowHeight * Double(layers.count)
    let edges = edges
    var marks = heads(edges)
    for (row, layer) in layers.enumerated() {
      let y = Self.headHeight + rowHeight * Double(row)
      for (group, edges) in zip(groups, edges) {
        for (role, x) in zip(group.roles, edges) {
          marks += cell(Site(layer: layer, expert: group.expert, role: role), x, y)
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
          height: height, label: label, minimumWidth: columnCount > 24 ? columnCount * 8 : nil, marks)),
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
}
