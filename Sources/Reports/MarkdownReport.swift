internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
package import Search
internal import Wording

/// report.md: what was lasered, what it gained and how to reproduce it, as a section of a model card.
package enum MarkdownReport {
  package static func text(_ outcome: SearchOutcome) -> String {
    let settings = outcome.settings
    let filters = FilterText(outcome)
    var parts = [
      "# \(settings.isControl ? "A control, random directions" : "Lasered"): \(Table.escaped(fileName(settings.model)))",
      VerdictText(outcome).sentences.joined(separator: " "),
    ]
    if let table = SummaryText.alternatives(outcome) {
      parts += [
        "The result beside what needs no search, on the same held-out text; paired by window, ± one standard error.",
        table.markdown,
      ]
    }
    parts += [
      "\(settings.text.isEmpty ? "Accuracy" : "Perplexity (convention \(SummaryText.conventionText(settings)))"); the change is "
        + "that of the mean negative log-likelihood, paired by window, ± one standard error.",
      SummaryText.perplexities(outcome).markdown,
    ]
    if let answers = AnswerChanges(outcome) {
      parts += ["## Answers", AnswerChanges.note, answers.table.markdown] + [answers.foldedMarkdown].compactMap(\.self)
    }
    parts.append(settings.isControl ? "## What was \(filters == nil ? "dropped" : "filtered")" : "## Plan")
    if let filters {
      parts += filterPlan(outcome, filters)
    } else if outcome.kept.isEmpty {
      parts.append("No matrix is reduced.")
    } else {
      let one = outcome.kept.count == 1
      let what =
        settings.base.map {
          "\(one ? "its" : "their") difference to \(Table.escaped(fileName($0))) reduced in rank"
        } ?? "\(one ? "its" : "their") rank reduced"
      let plan = RankPlan(outcome)
      let notes = [
        "\(matrices(outcome.kept.count)) \(one ? "has" : "have") \(what)\(one ? "" : ", in this order").",
        plan.effectText, outcome.trialCount == 0 ? nil : SummaryText.falsePositives(outcome),
      ]
      parts += [notes.compactMap(\.self).joined(separator: " "), plan.table.markdown]
    }
    let tuning = TuningRanks(outcome.spectra).lines
    if !tuning.isEmpty { parts += ["## Rank of the tuning", tuning.joined(separator: "\n")] }
    parts += [
      "## Reproduce", fenced(ReproductionCommand.text(settings)), "## Settings", self.settings(outcome).markdown,
    ]
    if !outcome.routing.isEmpty {
      // All that is counted of the router, folded away: it is long.
      let tables = RoutingTables(outcome.routing.map { (text: $0.text, routing: $0.statistics) })
      parts += ["<details><summary>Routing of the original model</summary>", fenced(tables.plain), "</details>"]
    }
    return parts.joined(separator: "\n\n") + "\n"
  }

  private static func filterPlan(_ outcome: SearchOutcome, _ filters: FilterText) -> [String] {
    var parts = ["\(filters.filtered)."]
    if !outcome.kept.isEmpty {
      let isMixture = outcome.kept.contains { $0.expert != nil }
      var table = Table(["layer"] + (isMixture ? ["expert"] : []) + ["role"] + FilterEntry.header)
      for entry in FilterEntry.entries(outcome) {
        let expert = isMixture ? [entry.trial.expert.map(String.init) ?? "–"] : []
        table.append(["\(entry.trial.layer)"] + expert + [entry.trial.role.rawValue] + entry.cells)
      }
      parts += ["The last column is what is predicted of each filter; none was measured by itself.", table.markdown]
    }
    let ladders = Ladder.ladders(of: outcome)
    if !ladders.isEmpty {
      parts += ["## The damping", FilterText.dampingNote(outcome), Ladder.table(ladders).markdown]
      parts += ladders.compactMap(\.note)
    }
    return parts
  }

  private static func settings(_ outcome: SearchOutcome) -> Table {
    let inputs = outcome.inputs
    var table = Table(["setting", "value"])
    table.append(["model", "\(inputs.model.path)\(RunText.size(inputs.model.bytes)) (\(inputs.model.fingerprint))"])
    if let base = inputs.base {
      table.append(["base", "\(base.path)\(RunText.size(base.bytes)) (\(base.fingerprint))"])
    }
    table.append(["search text", inputs.text.map(\.path).joined(separator: ", ")])
    table.append(["held-out text", inputs.heldOut.map(\.path).joined(separator: ", ")])
    for (name, value) in SettingsList.entries(outcome.settings) { table.append([name, value]) }
    if let filters = FilterText(outcome) {
      table.append(["effort", filters.effort])
    } else {
      table.append(["trials", "\(outcome.trialCount)"])
    }
    table.append(["time", Numbers.duration(outcome.seconds)])
    if let started = RunText.started(outcome) { table.append(["started", started]) }
    if let machine = outcome.header.machine { table.append(["machine", machine]) }
    table.append(["program", outcome.header.program])
    return table
  }
}
