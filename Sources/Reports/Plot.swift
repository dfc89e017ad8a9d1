/// The pieces that charts are made of.
///
/// Charts are fluid: along x, marks are placed by percent of the width there is; along y, and in the size of text and
/// marks, by pixels. So a chart fills a phone and a desktop alike, and its text is never scaled.
enum Plot {
  /// A drawing as wide as its place, of a fixed height. It says in words what it shows.
  static func canvas(height: Double, label: String? = nil, minimumWidth: Int? = nil, _ marks: [Markup]) -> Markup {
    let style = minimumWidth.map { "min-width:\($0)px" } ?? ""
    let title: [Markup] = label.map { [element("title", [:], .text($0))] } ?? []
    let attributes: KeyValuePairs<StaticString, Markup.Value> =
      label == nil
      ? ["width": "100%", "height": .number(height), "aria-hidden": "true", "style": Markup.Value(style)]
      : ["width": "100%", "height": .number(height), "role": "img", "style": Markup.Value(style)]
    return element("svg", attributes, title + marks)
  }

  static func text(
    _ text: String, x: Double, y: Double, _ style: Markup.Value = "", dx: Double = 0
  ) -> Markup {
    element("text", ["x": .percent(x), "y": .number(y), "dx": .number(dx), "class": style], .text(text))
  }

  static func horizontal(y: Double, from: Double = 0, to: Double = 1, _ style: Markup.Value) -> Markup {
    element("line", ["x1": .percent(from), "x2": .percent(to), "y1": .number(y), "y2": .number(y), "class": style])
  }

  static func vertical(x: Double, from: Double, to: Double, _ style: Markup.Value) -> Markup {
    element("line", ["x1": .percent(x), "x2": .percent(x), "y1": .number(from), "y2": .number(to), "class": style])
  }

  static func thickLine(y: Double, from: Double, to: Double, width: Double, _ style: Markup.Value) -> Markup {
    element(
      "line",
      [
        "x1": .percent(from), "x2": .percent(to), "y1": .number(y), "y2": .number(y), "class": style,
        "stroke-width": .number(width), "stroke-linecap": "round",
      ])
  }

  static func dot(x: Double, y: Double, radius: Double, _ style: Markup.Value, title: String? = nil) -> Markup {
    element(
      "circle", ["cx": .percent(x), "cy": .number(y), "r": .number(radius), "class": style], tooltip(title))
  }

  static func bar(
    x: Double, y: Double, width: Double, height: Double, _ style: Markup.Value, opacity: Double = 1,
    title: String? = nil
  ) -> Markup {
    let base: KeyValuePairs<StaticString, Markup.Value> = [
      "x": .percent(x), "y": .number(y), "width": .percent(max(0, width)), "height": .number(max(0, height)),
      "class": style,
      "fill-opacity": .number(opacity),
    ]
    return element("rect", base, tooltip(title))
  }

  static func tooltip(_ text: String?) -> [Markup] { text.map { [element("title", [:], .text($0))] } ?? [] }

  /// A line through points given as shares of the drawing's width and height, y from the top.
  static func curve(_ points: [(x: Double, y: Double)], height: Double, _ style: Markup.Value) -> Markup {
    let list = points.map { "\(Numbers.coordinate(1000 * $0.x)),\(Numbers.coordinate(1000 * $0.y))" }
    return element(
      "svg",
      ["width": "100%", "height": .number(height), "viewBox": "0 0 1000 1000", "preserveAspectRatio": "none"],
      element("polyline", ["points": Markup.Value(list.joined(separator: " ")), "class": style]))
  }

  /// Points, given as those of a curve, of a size that does not stretch.
  static func dots(_ points: [(x: Double, y: Double)], height: Double, _ style: Markup.Value) -> Markup {
    let path = points.map { "M\(Numbers.coordinate(1000 * $0.x)) \(Numbers.coordinate(1000 * $0.y))h0" }
    return element(
      "svg",
      ["width": "100%", "height": .number(height), "viewBox": "0 0 1000 1000", "preserveAspectRatio": "none"],
      points.isEmpty ? [] : [element("path", ["d": Markup.Value(path.joined()), "class": style])])
  }

  /// Tick labels under a drawing of the same width; at its edges they stay within it.
  static func horizontalAxis(_ scale: Scale, ticks: Int = 4) -> Markup {
    canvas(
      height: 16,
      scale.ticks(ticks).map { tick in
        let place = scale.position(tick.value)
        return text(tick.signedLabel, x: place, y: 12, place > 0.93 ? "end" : place < 0.07 ? "" : "middle")
      })
  }

  /// What lies under a line; points as those of a curve.
  static func area(_ points: [(x: Double, y: Double)], height: Double, _ style: Markup.Value) -> Markup {
    let ends = [points.last, points.first].compactMap(\.self).map { (x: $0.x, y: 1.0) }
    let list = (points + ends).map { "\(Numbers.coordinate(1000 * $0.x)),\(Numbers.coordinate(1000 * $0.y))" }
    return element(
      "svg",
      ["width": "100%", "height": .number(height), "viewBox": "0 0 1000 1000", "preserveAspectRatio": "none"],
      element("polygon", ["points": Markup.Value(list.joined(separator: " ")), "class": style]))
  }

  /// Tick labels beside a drawing of the same height; positions are those of the scale, from the bottom up.
  static func verticalAxis(_ scale: Scale, top: Double, height: Double, total: Double, ticks: Int = 4) -> Markup {
    canvas(
      height: total,
      scale.ticks(ticks).map {
        text($0.signedLabel, x: 1, y: top + height * (1 - scale.position($0.value)) + 3.5, "end", dx: -8)
      })
  }
}

/// Which way a change points, as a class of colour.
func direction(_ delta: Double) -> (fill: Markup.Value, line: Markup.Value) {
  delta < 0 ? ("gain", "gain-line") : delta > 0 ? ("loss", "loss-line") : ("even", "even-line")
}

/// A table of the page. Rows are `tr`.
func dataTable(_ head: [String], _ rows: [Markup]) -> Markup {
  element(
    "table", [:], element("thead", [:], element("tr", [:], head.map { element("th", [:], .text($0)) })),
    element("tbody", [:], rows))
}

/// The same with cells of text.
func dataTable(_ head: [String], _ rows: [[String]]) -> Markup {
  dataTable(head, rows.map { row in element("tr", [:], row.map { element("td", [:], .text($0)) }) })
}

/// A part of the page: a heading, what to look at, and the figure. The contents link to it by its title.
func section(_ title: String, note: String, _ content: [Markup]) -> Markup {
  element(
    "section", ["id": Markup.Value(anchor(title))],
    [element("h2", [:], .text(title)), element("p", ["class": "note"], .text(note))] + content)
}

/// What a section is linked by: "how-k-was-chosen".
func anchor(_ title: String) -> String {
  title.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }).joined(separator: "-")
}
