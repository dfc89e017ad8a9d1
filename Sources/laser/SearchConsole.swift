internal import Evaluation
internal import Processes
internal import Reports
internal import Search

extension Search {
  /// Runs the search with its progress on the console.
  func run(in folder: String, memory: Int, _ console: Console) throws -> SearchOutcome? {
    // Who helps ends with the first, without a word.
    if processes.isFirst { Interruption.watch(isAtOnce: !processes.isAlone) }
    var kept = KeptSoFar()
    let outcome = try run(in: folder, memory: memory) { event in
      do { try Interruption.check() } catch {
        console.endLine()
        throw error
      }
      switch event {
      case .extends(let changes):
        console.note("extends the search in \(folder): \(changes.joined(separator: "; "))")
      case .takesOver(let note): console.note(note)
      case .begun:
        // Where the memory is not enough, the first step says so. It is made for one process.
        if processes.isAlone, let estimate = try? SearchEstimate(self, memory: memory) {
          console.note(EstimateText(estimate, free: nil).line)
        }
      case .baseline(let share): console.progress("Baseline", share)
      case .statistics(let share): console.progress("Weighing directions", share)
      case .trial(let trial, let progress):
        kept.add(trial)
        console.progress(
          "Trials", progress.share, left: progress.secondsLeft, isNew: progress.isNew,
          detail: trialLine(trial, progress, kept))
      case .rung(let rung, let share, let isNew):
        console.progress("Choosing the damping", share, isNew: isNew, detail: rung.map(rungLine) ?? "")
      case .confirmation(let share): console.progress("Confirming", share)
      }
    }
    if !processes.isAlone {
      let received = Numbers.bytes(processes.receivedBytes)
      console.note("\(processes.count) processes; each received \(received) from the others")
    }
    return outcome
  }
}

/// A measured rung, for the progress line.
private func rungLine(_ rung: SearchRecord.Rung) -> String {
  "\(rung.group), k = \(Numbers.plain(rung.damping)): \(Numbers.signed(rung.delta, 4))"
}

/// What a search has come to, for its progress line.
private func trialLine(_ trial: SearchRecord.Trial, _ progress: TrialProgress, _ kept: KeptSoFar) -> String {
  "\(trial.number) of \(progress.expected) · \(StatusText.kept(kept)) · \(trial.site)"
}

/// What the terminal shows of a finished search.
func searchSummary(_ outcome: SearchOutcome, folder: String, _ style: TerminalStyle) -> String {
  let settings = outcome.settings
  let verdict = VerdictText(outcome)
  let tone: TerminalStyle.Tone = outcome.isSuccess && !verdict.hasBetterAlternative ? .good : .caution
  let duration = Numbers.duration(outcome.seconds) + (outcome.spentBudget ? ", the whole budget" : "")
  let convention = Measure(settings).conditions(settings)
  let effort =
    FilterText(outcome).map { "\($0.filtered).\n  \($0.effort); \(duration) in all.\n  \(convention)" }
    ?? "\(SummaryText.done(outcome)), \(duration).\n  \(convention)"
  let answers = AnswerChanges(outcome).map { "\n\($0.table.plain)\n" } ?? ""
  let alternatives = SummaryText.alternatives(outcome).map { "\n\($0.plain)\n" } ?? ""
  return """
    \(SummaryText.perplexities(outcome).plain)
    \(answers)\(alternatives)
      \(style.apply(tone, to: verdict.sentences.joined(separator: "\n  ")))
      \(effort)

    \(settings.isControl ? "" : "  Plan    \(folder)/plan.yaml\n")  Report  \(folder)/report.html

    """
}
