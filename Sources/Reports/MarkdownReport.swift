internal import Evaluation
internal import Inference
internal import RankReduction
package import Search

/// report.md: what was lasered, what it gained and how to do it again, as a section of a model card.
package enum MarkdownReport {
  package static func text(_ outcome: SearchOutcome) -> String {
    let settings = outcome.settings
    var lines = ["# Lasered: \(Table.escaped(fileName(settings.model.path)))", "", SummaryText.verdict(outcome), ""]
    lines += [
      "Perplexity (convention \(SummaryText.conventionText(settings))); the change is paired by window, ± one standard error.",
      "", SummaryText.perplexities(outcome).markdown, "", "## Plan", "",
    ]
    if outcome.kept.isEmpty {
      lines += ["No matrix is reduced.", ""]
    } else {
      let what =
        settings.base.map { "their difference to \(Table.escaped(fileName($0.path))) reduced in rank" }
        ?? "their rank reduced"
      lines += ["\(outcome.kept.count) matrices have \(what), in this order:", "", plan(outcome).markdown, ""]
    }
    lines += ["## Settings", "", self.settings(outcome).markdown, ""]
    return lines.joined(separator: "\n")
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

  private static func settings(_ outcome: SearchOutcome) -> Table {
    let settings = outcome.settings
    var table = Table(["setting", "value"])
    table.append(["model", "\(settings.model.path) (\(settings.model.fingerprint))"])
    if let base = settings.base { table.append(["base", "\(base.path) (\(base.fingerprint))"]) }
    table.append(["search text", settings.text.map(\.path).joined(separator: ", ")])
    table.append(["held-out text", settings.heldOut.map(\.path).joined(separator: ", ")])
    table.append(["layers", settings.layers])
    table.append(["experts", settings.experts])
    table.append(["roles", settings.roles.joined(separator: ", ")])
    table.append(["ranks", settings.ranks.joined(separator: ", ")])
    table.append(["confidence", "\(settings.confidence)"])
    table.append(["trials", "\(outcome.trialCount)"])
    table.append(["time", Numbers.duration(outcome.seconds)])
    table.append(["program", settings.program])
    return table
  }
}
