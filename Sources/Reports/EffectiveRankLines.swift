internal import Models
internal import RankReduction

/// Effective rank by layer, a line a role: the mean over experts, with the experts' range.
struct EffectiveRankLines {
  private struct Line {
    let role: Role
    /// By position among the layers; none where the layer has no such matrix.
    let points: [(position: Int, mean: Double, low: Double, high: Double)]
  }

  private let layers: [Int]
  private let lines: [Line]
  private let scale: Scale

  static let (top, height, total) = (8.0, 200.0, 244.0)

  init(_ entries: [PlottedSpectrum]) {
    let layers = Set(entries.map(\.site.layer)).sorted()
    self.layers = layers
    lines = Role.allCases.compactMap { role in
      // A difference that is zero has no directions to speak of.
      let ofRole = entries.filter { $0.site.role == role && $0.spectrum.singularValues.first ?? 0 > 0 }
      let points = layers.enumerated().compactMap { position, layer in
        let shares = ofRole.filter { $0.site.layer == layer }.map {
          $0.spectrum.effectiveRank / Double($0.spectrum.fullRank)
        }
        return shares.isEmpty
          ? nil
          : (
            position: position, mean: shares.reduce(0, +) / Double(shares.count), low: shares.min() ?? 0,
            high: shares.max() ?? 0
          )
      }
      return points.isEmpty ? nil : Line(role: role, points: points)
    }
    let all = lines.flatMap { $0.points.flatMap { [$0.low, $0.high] } }
    let (low, high) = (all.min() ?? 0, all.max() ?? 1)
    scale = Scale(max(0, 100 * low - 4), min(100, 100 * high + 4))
  }

  /// One layer makes no line.
  var isEmpty: Bool { layers.count < 2 || lines.isEmpty }

  private func x(_ position: Int) -> Double { 0.04 + 0.92 * Double(position) / Double(max(1, layers.count - 1)) }

  /// So that marks of lines that meet stand beside each other.
  private func x(_ position: Int, line: Int) -> Double {
    x(position) + (Double(line) - Double(lines.count - 1) / 2) * min(0.007, 0.15 / Double(max(1, layers.count)))
  }
  private func y(_ share: Double) -> Double { Self.top + Self.height * (1 - scale.clampedPosition(100 * share)) }

  private func style(_ role: Role) -> (fill: Markup.Value, line: Markup.Value) {
    switch role {
    case .w1, .query: ("gain", "gain-line")
    case .w2, .key: ("loss", "loss-line")
    case .w3, .value: ("ink", "ink-line")
    default: ("even", "even-line")
    }
  }

  /// The third of its part is dotted, for it often lies upon the first.
  private func dashes(_ role: Role) -> String {
    switch role {
    case .w3, .sharedW3, .value: " dotted"
    default: role.part == .expert ? "" : " dashed"
    }
  }

  var marks: [Markup] {
    var marks = scale.ticks(4).map {
      Plot.horizontal(y: Self.top + Self.height * (1 - scale.position($0.value)), "rule")
    }
    for (number, line) in lines.enumerated() {
      let style = style(line.role)
      if layers.count <= 40 {
        for point in line.points where point.high > point.low {
          marks.append(
            Plot.vertical(x: x(point.position, line: number), from: y(point.high), to: y(point.low), style.line))
        }
      }
      marks.append(
        Plot.curve(
          line.points.map { (x($0.position, line: number), y($0.mean) / Self.total) }, height: Self.total,
          Markup.Value("curve \(style.line.text)\(dashes(line.role))")))
      for point in line.points {
        marks.append(
          Plot.dot(
            x: x(point.position, line: number), y: y(point.mean), radius: layers.count > 40 ? 1.8 : 3, style.fill,
            title:
              "layer \(layers[point.position]) \(line.role.rawValue): mean \(Numbers.percent(point.mean, 1)), from "
              + "\(Numbers.percent(point.low, 1)) to \(Numbers.percent(point.high, 1))"))
      }
    }
    let every = layers.count <= 16 ? 1 : layers.count <= 40 ? 4 : 10
    for (position, layer) in layers.enumerated() where position % every == 0 {
      marks.append(Plot.text("\(layer)", x: x(position), y: Self.top + Self.height + 18, "middle"))
    }
    marks.append(Plot.text("layer", x: 0.5, y: Self.top + Self.height + 34, "middle"))
    return marks
  }

  var axis: [Markup] {
    scale.ticks(4).map {
      Plot.text(
        "\($0.label) %", x: 1, y: Self.top + Self.height * (1 - scale.position($0.value)) + 3.5, "end", dx: -8)
    }
  }

  /// The roles, beside the ends of their lines, moved apart where they would meet.
  var labels: [Markup] {
    var places = lines.compactMap { line in line.points.last.map { (line.role, y($0.mean) + 3.5) } }
      .sorted { $0.1 < $1.1 }
    for index in places.indices.dropFirst() {
      places[index].1 = max(places[index].1, places[index - 1].1 + 14)
    }
    return places.map { role, y in
      Plot.text(role.rawValue, x: 0, y: y, Markup.Value("strong \(style(role).fill.text)"), dx: 2)
    }
  }

  var markup: Markup {
    element(
      "figure", ["class": "framed tagged"], Plot.canvas(height: Self.total, axis),
      Plot.canvas(height: Self.total, label: "Effective rank by layer and role", marks),
      Plot.canvas(height: Self.total, labels))
  }
}
