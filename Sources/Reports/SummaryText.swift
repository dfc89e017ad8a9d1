internal import Checkpoints
internal import Evaluation
package import Search

/// What a search found, in words and in one table: shared by the terminal and the Markdown report.
package enum SummaryText {
  /// Nil where nothing was measured beside the result.
  package static func alternatives(_ outcome: SearchOutcome) -> Table? {
    let alternatives = Alternatives(outcome)
    return alternatives.isEmpty ? nil : alternatives.table
  }

  /// How many trials a search took, or models.
  package static func trials(_ outcome: SearchOutcome) -> String {
    if let filters = FilterText(outcome) { return filters.effort }
    let count = Numbers.grouped(outcome.trialCount)
    return "\(count) \(outcome.trialCount == 1 ? "trial" : "trials")"
  }

  /// Perplexity before and after, or accuracy, by text and pooled, with the paired change of the nll.
  package static func perplexities(_ outcome: SearchOutcome) -> Table {
    let measure = Measure(outcome.settings)
    var table = Table(["text", "before", "after", "change, \(measure.shortUnit)"])
    func row(_ name: String, _ baseline: Score, _ result: Score) {
      let delta = PairedDelta(from: baseline, to: result)
      table.append([
        name, Measure.value(baseline), Measure.value(result),
        "\(Numbers.signed(delta.mean, 4)) ± \(Numbers.fixed(delta.standardError, 4))",
      ])
    }
    let names = TextNames(outcome)
    for (title, comparison, names) in [
      ("search", outcome.search, names.search), ("held-out", outcome.heldOut, names.heldOut),
    ] {
      for (name, corpus) in zip(names, comparison.corpora) {
        row(name, corpus.baseline, corpus.result)
      }
      row("all \(title) \(measure.subject)", comparison.baseline, comparison.result)
    }
    if let guarded = outcome.guarded {
      for corpus in guarded.corpora { row("\(fileName(corpus.path)), guard", corpus.baseline, corpus.result) }
    }
    return table
  }

  /// "Reduced: 84 accepted steps on 46 matrices; 360 trials"
  package static func done(_ outcome: SearchOutcome) -> String {
    (outcome.kept.isEmpty ? "Nothing reduced" : "Reduced: \(steps(outcome))")
      + (outcome.trialCount == 0 ? "; no trials" : "; \(trials(outcome))")
  }

  /// A sweep may accept several ranks of a matrix, one after another.
  private static func steps(_ outcome: SearchOutcome) -> String {
    let steps = outcome.trials.count { $0.kept }
    guard steps != outcome.kept.count else { return matrices(steps) }
    return "\(Numbers.grouped(steps)) accepted steps on \(matrices(outcome.kept.count))"
  }

  /// How many false positives are to be expected among what was accepted.
  static func falsePositives(_ outcome: SearchOutcome) -> String {
    let steps = outcome.trials.count { $0.kept }
    return
      "Expected false positives: about \(Numbers.fixed(outcome.expectedFalseKeeps, 1)) of \(Numbers.grouped(steps)) "
      + "accepted \(steps == 1 ? "step" : "steps") in \(trials(outcome)) (false discovery rate "
      + "\(outcome.settings.falseDiscoveryRate))."
  }

  package static func conventionText(_ settings: SearchSettings) -> String {
    "\(settings.conventionName), context \(settings.context)"
      + (settings.convention.stride.map { ", stride \($0)" } ?? "")
  }
}
