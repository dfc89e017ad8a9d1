internal import Models
internal import Search

/// The parts of the page that only a filter search has.
struct FilterSections {
  private let outcome: SearchOutcome
  private let text: FilterText

  /// Nil for a search of ranks.
  init?(_ outcome: SearchOutcome) {
    guard let text = FilterText(outcome) else { return nil }
    self.outcome = outcome
    self.text = text
  }

  /// What the filters take away, how k was chosen, and the filters themselves.
  var findings: [Markup] {
    let map = RemovedMap(outcome)
    let panels = FilterPanels(outcome)
    var parts: [Markup] = []
    if !map.isEmpty {
      parts.append(
        section(
          "How much is taken away",
          note: "The share of Σσ² that the filters take away, in\u{A0}%: a row is a layer, the last one on top.",
          [map.markup]))
    }
    parts += ladder
    if !panels.isEmpty { parts.append(panels.markup) }
    return parts
  }

  private var ladder: [Markup] {
    let ladders = Ladder.ladders(of: outcome)
    let chart = LadderChart(ladders, unit: Measure(outcome.settings).unit)
    guard !chart.isEmpty else { return [] }
    let notes = ladders.compactMap(\.note).map { element("p", ["class": "left-out"], .text($0)) }
    return [
      section(
        outcome.settings.damping == nil ? "How k was chosen" : "What the given k does",
        note: FilterText.dampingNote(outcome), [chart.markup] + notes + [TrialTable.models(outcome)])
    ]
  }

  /// Longer plans are read from plan.yaml.
  private static let longestPlan = 400

  var plan: [Markup] {
    let entries = FilterEntry.entries(outcome)
    guard !entries.isEmpty else { return [] }
    let isMixture = outcome.kept.contains { $0.expert != nil }
    let head = ["layer"] + (isMixture ? ["expert"] : []) + ["role"] + FilterEntry.shortHeader
    let rows = entries.prefix(Self.longestPlan).map { entry in
      let trial = entry.trial
      let expert = isMixture ? [trial.expert.map(String.init) ?? "–"] : []
      let cells = ["\(trial.layer)"] + expert + [trial.role.rawValue] + entry.shortCells
      return element("tr", [:], cells.map { element("td", [:], .text($0)) })
    }
    let more = entries.count - rows.count
    let files =
      outcome.settings.isControl
      ? "A control leaves no plan."
      : "plan.yaml and plan.safetensors in the run folder say the same for laser apply."
    return [
      section(
        outcome.settings.isControl ? "The filters of the control" : "The plan",
        note:
          "\(text.filtered). \(files) “Rank” is the remaining one, “removed” the share of Σσ² that is taken away. The last "
          + "column is what is predicted of each filter, as a share of the change of all: none was measured by itself."
          + (more > 0 ? " The last \(more) are not shown." : ""),
        [
          element(
            "div", ["class": "columns plan"],
            dataTable(head, rows))
        ])
    ]
  }
}
