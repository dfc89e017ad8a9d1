internal import Evaluation
internal import Reports
internal import Search

extension Search {
  /// Runs the search with its progress on the console.
  func run(in folder: String, memory: Int, _ console: Console) throws -> SearchOutcome {
    Interruption.watch()
    var watch = TrialWatch()
    return try run(in: folder, memory: memory) { event in
      do { try Interruption.check() } catch {
        console.endLine()
        throw error
      }
      switch event {
      case .baseline(let share): console.progress("Baseline", share)
      case .statistics(let share): console.progress("Weighing directions", share)
      case .trial(let trial, let total):
        watch.record(trial)
        console.progress("Trials", Double(trial.number) / Double(total), detail: watch.line(total: total))
      case .rung(let rung, let share):
        console.progress("Choosing the damping", share, detail: rung.map(rungLine) ?? "")
      case .confirmation(let share): console.progress("Confirming", share)
      }
    }
  }
}

/// A measured rung, for the progress line.
private func rungLine(_ rung: SearchRecord.Rung) -> String {
  "\(rung.group), k = \(Numbers.plain(rung.damping)): \(Numbers.signed(rung.delta, 4))"
}

/// What a search has come to, for its progress line.
private struct TrialWatch {
  private var last: SearchRecord.Trial?
  private var kept = 0
  private var best: Double?
  private let start = ContinuousClock.now
  private var count = 0

  mutating func record(_ trial: SearchRecord.Trial) {
    last = trial
    count += 1
    if trial.kept { kept += 1 }
    if let delta = trial.pairedDelta?.mean { best = min(best ?? delta, delta) }
  }

  func line(total: Int) -> String {
    guard let last else { return "" }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let parts = [
      "\(last.site)", "\(last.number) of \(total)",
      "\(kept) kept", best.map { "best \(Numbers.signed($0, 4))" },
      seconds > 1 ? "\(Numbers.fixed(Double(count) / seconds, 1)) trials/s" : nil,
    ]
    return parts.compactMap(\.self).joined(separator: " · ")
  }
}

/// What the terminal shows of a finished search.
func searchSummary(_ outcome: SearchOutcome, folder: String, _ style: TerminalStyle) -> String {
  let settings = outcome.settings
  let verdict = VerdictText(outcome)
  let tone: TerminalStyle.Tone = outcome.isSuccess && !verdict.hasBetterAlternative ? .good : .caution
  let duration = Numbers.duration(outcome.seconds) + (outcome.spentBudget ? ", the whole budget" : "")
  let convention = "Perplexity by \(SummaryText.conventionText(settings))."
  let effort =
    FilterText(outcome).map { "\($0.filtered).\n  \($0.effort); \(duration) in all.\n  \(convention)" }
    ?? "\(SummaryText.done(outcome)), \(duration).\n  \(convention)"
  let alternatives = SummaryText.alternatives(outcome).map { "\n\($0.plain)\n" } ?? ""
  return """
    \(SummaryText.perplexities(outcome).plain)
    \(alternatives)
      \(style.apply(tone, to: verdict.sentences.joined(separator: "\n  ")))
      \(effort)

    \(settings.isControl ? "" : "  Plan    \(folder)/plan.yaml\n")  Report  \(folder)/report.html

    """
}
