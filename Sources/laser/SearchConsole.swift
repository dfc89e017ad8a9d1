internal import Reports
internal import Search

extension Search {
  /// Runs the search with its progress on the console.
  func run(in folder: String, _ console: Console) throws -> SearchOutcome {
    var kept = 0
    Interruption.watch()
    return try run(in: folder) { event in
      do { try Interruption.check() } catch {
        console.endLine()
        throw error
      }
      switch event {
      case .baseline(let share): console.progress("Baseline", share)
      case .trial(let trial, let total):
        if trial.kept { kept += 1 }
        console.progress(
          "Trials", Double(trial.number) / Double(total),
          detail: "\(trial.site) · \(kept) kept · nll \(Numbers.fixed(trial.nll, 4))")
      case .confirmation(let share): console.progress("Confirming", share)
      }
    }
  }
}

/// What the terminal shows of a finished search.
func searchSummary(_ outcome: SearchOutcome, folder: String) -> String {
  let sites = "\(outcome.kept.count) \(outcome.kept.count == 1 ? "matrix" : "matrices") reduced"
  return """
    \(SummaryText.perplexities(outcome).plain)

      \(SummaryText.verdict(outcome))
      \(sites); \(outcome.trials.count) trials in \(Numbers.duration(outcome.seconds)). \
    Perplexity by \(SummaryText.conventionText(outcome.settings)).

      Plan    \(folder)/plan.yaml
      Report  \(folder)/report.md

    """
}
