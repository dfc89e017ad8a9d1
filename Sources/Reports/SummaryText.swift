internal import Evaluation
package import Search

/// What a search found, in words and in one table: shared by the terminal and the Markdown report.
package enum SummaryText {
  package static func verdict(_ outcome: SearchOutcome) -> String {
    if let filters = FilterText(outcome) { return filters.verdict.joined(separator: " ") }
    let delta = outcome.heldOut.delta
    let change = "\(Numbers.signed(delta.mean, 4)) ± \(Numbers.fixed(delta.standardError, 4)) nats per token"
    return switch outcome.verdict {
    case .nothingKept:
      "Nothing holds: none of \(outcome.trialCount) trials "
        + "lowered the search perplexity by more than its noise. "
        + "The model is left as it is."
    case .holds:
      "The gain holds on held-out text: \(change) (paired by window)."
    case .doesNotHold:
      "The gain does not hold on held-out text: \(change) (paired by window). "
        + "What improved the search text did not improve the model."
    case .withinTolerance:
      "The loss stays within the tolerance on held-out text: \(change) (paired by window), "
        + "\(Numbers.fixed(outcome.settings.objective.tolerance ?? 0, 4)) allowed."
    case .beyondTolerance:
      "The loss exceeds the tolerance on held-out text: \(change) (paired by window), "
        + "\(Numbers.fixed(outcome.settings.objective.tolerance ?? 0, 4)) allowed."
    }
  }

  /// How many trials a search took, or models.
  package static func trials(_ outcome: SearchOutcome) -> String {
    if let filters = FilterText(outcome) { return filters.effort }
    let count = Numbers.grouped(outcome.trialCount)
    return "\(count) \(outcome.trialCount == 1 ? "trial" : "trials")"
  }

  /// A word or two for a table.
  package static func shortVerdict(_ outcome: SearchOutcome) -> String {
    if FilterText(outcome)?.hasBetterAlternative == true { return "a simpler change is better" }
    return switch outcome.verdict {
    case .nothingKept: "nothing holds"
    case .holds: "holds"
    case .doesNotHold: "does not hold"
    case .withinTolerance: "within tolerance"
    case .beyondTolerance: "beyond tolerance"
    }
  }

  /// Perplexity before and after, by text and pooled, with the paired change of the nll.
  package static func perplexities(_ outcome: SearchOutcome) -> Table {
    var table = Table(["text", "before", "after", "change, nats/token"])
    func row(_ name: String, _ baseline: Score, _ result: Score) {
      let delta = PairedDelta(from: baseline, to: result)
      table.append([
        name, Numbers.fixed(baseline.perplexity, 3), Numbers.fixed(result.perplexity, 3),
        "\(Numbers.signed(delta.mean, 4)) ± \(Numbers.fixed(delta.standardError, 4))",
      ])
    }
    for (title, comparison) in [("search", outcome.search), ("held-out", outcome.heldOut)] {
      for (name, corpus) in zip(distinctNames(comparison.corpora.map(\.path)), comparison.corpora) {
        row(name, corpus.baseline, corpus.result)
      }
      row("all \(title) text", comparison.baseline, comparison.result)
    }
    return table
  }

  /// How many false positives are to be expected among what was kept.
  package static func luck(_ outcome: SearchOutcome) -> String {
    let keeps = outcome.trials.count { $0.kept }
    return "Luck alone would explain about \(Numbers.fixed(outcome.expectedFalseKeeps, 1)) of \(keeps) keeps in "
      + "\(trials(outcome)) (false discovery rate \(outcome.settings.falseDiscoveryRate))."
  }

  package static func conventionText(_ settings: SearchSettings) -> String {
    "\(settings.conventionName), context \(settings.context)"
      + (settings.convention.stride.map { ", stride \($0)" } ?? "")
  }
}
