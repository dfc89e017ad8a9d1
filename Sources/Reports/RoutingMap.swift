internal import Evaluation

/// Where the router sends a text's tokens: a row a layer, a column an expert; darker is busier.
struct RoutingMap {
  /// One text's routing, as shares of all choices of a layer and the mean weight of each expert's.
  struct Text {
    let name: String
    let tokens: Int
    /// By layer; a dense one has none.
    let layers: [[Expert]]

    init(name: String, _ statistics: RoutingStatistics) {
      self.name = name
      tokens = statistics.tokens
      layers = statistics.layers.map { layer in
        layer.experts.count == 1
          ? [] : zip(layer.experts, layer.shares).map { Expert(share: $1, meanWeight: $0.meanWeight) }
      }
    }
  }

  struct Expert {
    let share: Double
    let meanWeight: Double
  }

  /// All texts together; nil for one text.
  private let whole: Text?
  private let texts: [Text]
  private let leftOut: Int

  private static let largestTextCount = 8
  private static let largestLabelledCount = 8

  init(_ texts: [(name: String, statistics: RoutingStatistics)]) {
    let usable = texts.filter { $0.statistics.layers.contains { $0.experts.count > 1 } }
    self.texts = usable.prefix(Self.largestTextCount).map { Text(name: $0.name, $0.statistics) }
    leftOut = usable.count - self.texts.count
    whole = RoutingStatistics(summing: usable.map(\.statistics)).map { Text(name: "all held-out text", $0) }
  }

  var isEmpty: Bool { texts.isEmpty }

  private static func flag(_ share: Double, of count: Int) -> String {
    typealias Layer = RoutingStatistics.Layer
    return Layer.isDead(share, of: count) ? "†" : Layer.isOverloaded(share, of: count) ? "*" : ""
  }

  var markup: Markup {
    let panels = element("div", ["class": "panels wide"], texts.map(panel))
    // One map says most of it; those of the texts would fill the page.
    var parts = [panels]
    if let whole, texts.count > 1 {
      let byText = element("details", [:], element("summary", [:], "By text"), panels)
      parts = [element("div", ["class": "panels wide"], panel(whole)), byText]
    }
    if leftOut > 0 { parts.append(element("p", ["class": "left-out"], .text("\(leftOut) more texts are not shown."))) }
    let count = texts.first?.layers.map(\.count).max() ?? 1
    return section(
      "Routing of the original model",
      note:
        "Each expert's share of the router's choices, by layer, and below it the mean weight that the router gives "
        + "it when it is chosen. An equal share is \(Numbers.percent(1 / Double(count), 1)). "
        + "† dead: below a twentieth of it. * overloaded: above one and a half equal shares.",
      parts)
  }

  private func panel(_ text: Text) -> Markup {
    let count = text.layers.map(\.count).max() ?? 1
    let isLabelled = count <= Self.largestLabelledCount
    let rowHeight = text.layers.count <= 16 && isLabelled ? 34.0 : 18
    let top = 18.0
    let height = top + rowHeight * Double(text.layers.count)
    let unit = 1 / Double(count)
    // Twice the equal share is full strength.
    func strength(_ share: Double) -> Double { 0.04 + 0.8 * min(1, share * Double(count) / 2) }
    var marks: [Markup] = (0..<count).filter { isLabelled || $0 % 8 == 0 }.map {
      Plot.text(isLabelled ? "expert \($0)" : "\($0)", x: unit * (Double($0) + 0.5), y: 10, "middle small")
    }
    for (row, experts) in text.layers.reversed().enumerated() {
      let y = top + rowHeight * Double(row)
      for (expert, use) in experts.enumerated() {
        let x = unit * Double(expert)
        let flag = Self.flag(use.share, of: experts.count)
        marks.append(
          Plot.bar(
            x: x + 0.02 * unit, y: y + 1, width: 0.96 * unit, height: rowHeight - 2, flag.isEmpty ? "gain" : "loss",
            opacity: strength(use.share),
            title:
              "layer \(text.layers.count - 1 - row) expert \(expert): \(Numbers.percent(use.share, 2)) of the choices, "
              + "mean weight \(Numbers.fixed(use.meanWeight, 3))"))
        guard isLabelled else { continue }
        let ink: Markup.Value = strength(use.share) > 0.65 ? "middle on" : "middle ink"
        let hasRoom = rowHeight > 30
        marks.append(
          Plot.text(
            Numbers.fixed(100 * use.share, 0) + flag, x: x + unit / 2, y: y + (hasRoom ? 15 : 12.5), ink))
        if hasRoom {
          marks.append(
            Plot.text(Numbers.fixed(use.meanWeight, 2), x: x + unit / 2, y: y + 27, Markup.Value("small " + ink.text)))
        }
      }
    }
    let every = text.layers.count <= 40 ? 1 : 5
    let labels = text.layers.indices.reversed().enumerated().filter { $0.element % every == 0 }.map {
      Plot.text("\($0.element)", x: 1, y: top + rowHeight * (Double($0.offset) + 0.5) + 3.5, "end", dx: -8)
    }
    return element(
      "figure", [:],
      element(
        "h3", [:], .text(text.name), element("span", [:], .text("  \(Numbers.grouped(text.tokens)) tokens, share in %"))
      ),
      element(
        "div", ["class": "framed slim"], Plot.canvas(height: height, labels),
        Plot.canvas(height: height, label: "Routing of \(text.name)", marks)))
  }
}
