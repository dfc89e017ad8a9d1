internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
package import Search
internal import Wording

/// report.md: what was lasered, what it gained and how to do it again, as a section of a model card.
package enum MarkdownReport {
  package static func text(_ outcome: SearchOutcome) -> String {
    let settings = outcome.settings
    let filters = FilterText(outcome)
    let isControl = settings.isControl && filters != nil
    var parts = [
      "# \(isControl ? "A control, random directions" : "Lasered"): \(Table.escaped(fileName(settings.model)))",
      SummaryText.verdict(outcome),
    ]
    if let table = filters?.alternativesTable {
      parts += [
        "The result beside what needs no choice of directions, on the same held-out text; paired by window, ± one standard "
          + "error.", table.markdown,
      ]
    }
    parts += [
      "Perplexity (convention \(SummaryText.conventionText(settings))); the change is that of the mean negative log-likelihood, "
        + "paired by window, ± one standard error.", SummaryText.perplexities(outcome).markdown, "## Plan",
    ]
    let luck = outcome.trialCount == 0 ? "" : " " + SummaryText.luck(outcome)
    if let filters {
      parts += filterPlan(outcome, filters)
    } else if outcome.kept.isEmpty {
      parts.append("No matrix is reduced.")
    } else {
      let (one, many) = (outcome.kept.count == 1, matrices(outcome.kept.count))
      let what =
        settings.base.map {
          "\(one ? "its" : "their") difference to \(Table.escaped(fileName($0))) reduced in rank"
        } ?? "\(one ? "its" : "their") rank reduced"
      parts += [
        "\(many) \(one ? "has" : "have") \(what)\(one ? "" : ", in this order").\(luck)",
        plan(outcome).markdown,
      ]
    }
    let tuning = TuningRanks(outcome.spectra).lines
    if !tuning.isEmpty { parts += ["## Rank of the tuning", tuning.joined(separator: "\n")] }
    parts += [
      "## Do it again", fenced(ReproductionCommand.text(settings)), "## Settings", self.settings(outcome).markdown,
    ]
    if !outcome.routing.isEmpty {
      // All that is counted of the router, folded away: it is long.
      let tables = RoutingTables(outcome.routing.map { (text: $0.text, routing: $0.statistics) })
      parts += ["<details><summary>Routing of the original model</summary>", fenced(tables.plain), "</details>"]
    }
    return parts.joined(separator: "\n\n") + "\n"
  }

  private static func plan(_ outcome: SearchOutcome) -> Table {
    let isMixture = outcome.kept.contains { $0.expert != nil }
    var table = Table(["layer"] + (isMixture ? ["expert"] : []) + ["role", "rank", "of", "change, nats/token"])
    for trial in outcome.kept {
      table.append(
        ["\(trial.layer)"] + (isMixture ? [trial.expert.map(String.init) ?? "–"] : []) + [
          trial.role.rawValue, "\(trial.rank)", "\(trial.fullRank)",
          trial.pairedDelta.map { "\(Numbers.signed($0.mean, 5)) ± \(Numbers.fixed($0.standardError, 5))" } ?? "–",
        ])
    }
    return table
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
    table.append(["model", "\(inputs.model.path) (\(inputs.model.fingerprint))"])
    if let base = inputs.base { table.append(["base", "\(base.path) (\(base.fingerprint))"]) }
    table.append(["search text", inputs.text.map(\.path).joined(separator: ", ")])
    table.append(["held-out text", inputs.heldOut.map(\.path).joined(separator: ", ")])
    for (name, value) in SettingsList.entries(outcome.settings) { table.append([name, value]) }
    if let filters = FilterText(outcome) {
      table.append(["effort", filters.effort])
    } else {
      table.append(["trials", "\(outcome.trialCount)"])
    }
    table.append(["time", Numbers.duration(outcome.seconds)])
    table.append(["program", outcome.header.program])
    return table
  }
}
