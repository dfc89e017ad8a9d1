internal import Glibc
package import Models
package import RankReduction

/// Singular values of chosen matrices, and effective ranks of all of them.
package struct SpectrumPlots {
  private let entries: [PlottedSpectrum]
  private let leftOut: Int
  let lines: EffectiveRankLines
  private let value: Scale

  static let (height, total) = (84.0, 104.0)
  /// More points than a small plot can show only make the page heavy.
  private static let largestPointCount = 64

  /// - Parameter entries: The most interesting first; beyond the limit they are left out of the small plots.
  package init(_ entries: [PlottedSpectrum], limit: Int = 20) {
    self.entries = Array(entries.prefix(limit))
    leftOut = entries.count - self.entries.count
    lines = EffectiveRankLines(entries)
    let largest = self.entries.compactMap(\.spectrum.singularValues.first).max() ?? 1
    let smallest = self.entries.flatMap { $0.spectrum.singularValues.filter { $0 > 0 }.suffix(1) }.min() ?? largest
    value = Scale(max(smallest, largest / 1000) * 0.8, largest * 1.25, .logarithmic)
  }

  var isEmpty: Bool { entries.isEmpty }

  var panels: [Markup] {
    var parts = [
      element(
        "div", ["class": "panels"],
        entries.map { entry in
          element(
            "div", ["class": "panel"],
            element(
              "h3", [:], element("b", [:], .text(entry.site.shortName)),
              element("span", [:], .text(Self.rankText(entry)))),
            Plot.canvas(height: Self.total, label: "Singular values of \(entry.site)", marks(entry)))
        })
    ]
    if leftOut > 0 { parts.append(element("p", ["class": "left-out"], .text("\(leftOut) more are not shown."))) }
    return parts
  }

  var span: String { "\(Numbers.significant(value.lower, 2)) to \(Numbers.significant(value.upper, 2))" }

  private static func rankText(_ entry: PlottedSpectrum) -> String {
    entry.rank.map { "\($0) of \(entry.spectrum.fullRank)" } ?? "\(entry.spectrum.rankAboveNoise) above noise"
  }

  private func marks(_ entry: PlottedSpectrum) -> [Markup] {
    let values = entry.spectrum.singularValues
    guard values.count > 1 else { return [] }
    func x(_ index: Int) -> Double { Double(index) / Double(values.count - 1) }
    func y(_ sigma: Double) -> Double { 1 - value.clampedPosition(sigma) }
    var marks: [Markup] = []
    if let rank = entry.rank {
      let end = Double(rank) / Double(values.count)
      marks.append(Plot.bar(x: 0, y: 0, width: end, height: Self.height, "gain", opacity: 0.16))
      marks.append(Plot.vertical(x: end, from: 0, to: Self.height, "gain-line"))
    }
    marks.append(Plot.horizontal(y: Self.height, "rule"))
    let edge = entry.spectrum.noiseEdge
    if value.position(edge) > 0 { marks.append(Plot.horizontal(y: Self.height * y(edge), "even-line dashed")) }
    marks.append(
      Plot.curve(
        Self.thinned(values.count).map { (x($0), y(values[$0])) }, height: Self.height, "curve ink-line"))
    marks.append(Plot.text("1", x: 0, y: 100, "small"))
    marks.append(Plot.text("\(values.count)", x: 1, y: 100, "small end"))
    return marks
  }

  /// Indices below a count: all of the first, where spectra bend, then ever fewer, and the last.
  static func thinned(_ count: Int) -> [Int] {
    guard count > largestPointCount else { return Array(0..<count) }
    var result = Array(0..<8)
    let rest = largestPointCount - 8
    for step in 1...rest {
      // Half way between even steps and even ratios.
      let share = Double(step) / Double(rest)
      let even = 7 + share * Double(count - 8)
      let ratio = 7 * pow(Double(count - 1) / 7, share)
      let index = min(count - 1, Int(((even + ratio) / 2).rounded()))
      if let last = result.last, index > last { result.append(index) }
    }
    return result
  }

  // MARK: A file of its own

  /// A drawing for `laser spectrum --svg`: the effective ranks, then a small plot a site.
  package func file(title: String) -> String {
    let (columns, width, gap, left) = (5, 160.0, 32.0, 24.0)
    let full = Double(columns) * width + Double(columns - 1) * gap
    let rowCount = (entries.count + columns - 1) / columns
    let linesTop = 62.0
    let panelsTop = linesTop + (lines.isEmpty ? 0 : EffectiveRankLines.total + 62)
    let height = panelsTop + Double(rowCount) * (Self.total + 44) + 24
    func nested(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ marks: [Markup]) -> Markup {
      element(
        "svg",
        ["x": .number(x), "y": .number(y), "width": .number(width), "height": .number(height), "overflow": "visible"],
        marks)
    }
    func label(_ text: String, _ x: Double, _ y: Double, _ style: Markup.Value) -> Markup {
      element("text", ["x": .number(x), "y": .number(y), "class": style], .text(text))
    }
    var marks: [Markup] = [
      element("style", [:], .styleSheet(PageStyle.charts)),
      element("style", [:], .styleSheet("svg{background:var(--page)} svg svg{background:none}")),
      label(title, left, 28, "ink strong"),
      label(
        "Singular values (log scale, \(span)) by index; the dashed line is the noise edge"
          + (leftOut > 0 ? "; \(leftOut) matrices are not shown" : ""), left, panelsTop - 20, ""),
    ]
    if !lines.isEmpty {
      marks += [
        label("Effective rank by layer, % of the full rank", left, linesTop - 12, ""),
        nested(left + 36, linesTop, full - 100, EffectiveRankLines.total, lines.marks),
        nested(left, linesTop, 36, EffectiveRankLines.total, lines.axis),
        nested(left + full - 64, linesTop, 64, EffectiveRankLines.total, lines.labels),
      ]
    }
    for (index, entry) in entries.enumerated() {
      let x = left + Double(index % columns) * (width + gap)
      let y = panelsTop + Double(index / columns) * (Self.total + 44)
      marks += [
        label(entry.site.shortName, x, y + 12, "ink strong"),
        element("text", ["x": .number(x + width), "y": .number(y + 12), "class": "end"], .text(Self.rankText(entry))),
        nested(x, y + 22, width, Self.total, self.marks(entry)),
      ]
    }
    let size = (width: full + 2 * left, height: height)
    return element(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "width": .number(size.width), "height": .number(size.height),
        "viewBox": "0 0 \(Numbers.coordinate(size.width)) \(Numbers.coordinate(size.height))",
      ], marks
    ).source
  }
}
