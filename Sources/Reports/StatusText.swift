internal import Checkpoints
internal import Evaluation
internal import Models
internal import RankReduction
package import Search
internal import Wording

/// What is known so far of a search, in words: for the terminal and the page of an unfinished one.
package struct StatusText {
  private let status: RunStatus
  /// In seconds since 1970.
  private let now: Double
  private let measure: Measure

  package init(_ status: RunStatus, now: Double) {
    (self.status, self.now) = (status, now)
    measure = Measure(status.header.settings)
  }

  /// "Running (node2, process 4711): trials, now at layer 3, expert 1, w2"
  package var headline: String {
    if status.isFinished { return "Finished" }
    return (status.process.map { "Running (\(printable($0.name)))" } ?? "Interrupted, the same command continues it")
      + ": \(phase)"
  }

  private var phase: String {
    switch status.phase {
    case .baseline: "the original model is measured"
    case .statistics: "the directions of its matrices are weighed"
    case .trials: "trials" + (status.trials.last.map { ", now at \($0.site)" } ?? "")
    case .composition: "the best reductions are put together"
    case .damping: "the damping is chosen"
    case .confirmation: "the result is measured"
    case .finished: "finished"
    }
  }

  /// What was measured: "120 trials", "7 models".
  package var effort: String {
    if !status.rungs.isEmpty {
      return "\(Numbers.grouped(status.rungs.count)) \(status.rungs.count == 1 ? "model" : "models") measured"
    }
    return "\(Numbers.grouped(status.trialCount)) \(status.trialCount == 1 ? "trial" : "trials")"
  }

  /// "5 steps on 3 matrices, −0.0123 nats per token of the search text"
  package var kept: String {
    if let rung = bestRung, status.kept.steps == 0 {
      return
        "filters of \(rung.group) with k = \(Numbers.plain(rung.damping)): \(Numbers.signed(rung.delta, 4)) "
        + "\(measure.unit) of the windows that judge"
    }
    return Self.kept(status.kept)
      + (status.kept.delta == nil ? "" : " \(measure.unit) of the search \(measure.subject)")
  }

  /// Accepted steps, matrices, and what they change together.
  package static func kept(_ kept: KeptSoFar) -> String {
    guard kept.steps > 0 else { return "nothing kept" }
    let change = kept.delta.map { ": \(Numbers.signed($0, 4))" } ?? ""
    // Filters are kept all at once.
    guard kept.steps > 1, kept.steps != kept.matrixCount else { return matrices(kept.matrixCount) + " kept" + change }
    return "\(Numbers.grouped(kept.steps)) accepted steps on \(matrices(kept.matrixCount))" + change
  }

  /// The last that passed its test.
  private var bestRung: SearchRecord.Rung? { status.rungs.last { $0.passes && !$0.isAlternative } }

  package var time: String {
    let ago = status.lastRecord.map { now - $0 } ?? -1
    return Numbers.duration(status.seconds) + (ago >= 0 ? ", last record \(Numbers.duration(ago)) ago" : "")
  }

  /// Name and value of all that is known.
  package var entries: [(name: String, value: String)] {
    let settings = status.header.settings
    var entries = [("search", "\(settings.model), strategy \(settings.strategy.name)"), ("state", headline)]
    if let original = status.original {
      let score = "\(measure.name) \(Measure.value(original))"
      entries.append(("original", "\(score) on the search \(measure.subject)"))
    }
    entries += [("so far", effort), ("kept", kept), ("time", time)]
    if !status.isFinished {
      entries.append(("", "Nothing is confirmed on held-out \(measure.subject) before the end."))
    }
    return entries
  }

  package var plain: String {
    entries.map { "  " + $0.name + String(repeating: " ", count: max(1, 10 - $0.name.count)) + $0.value + "\n" }
      .joined()
  }
}

/// The same for programs.
package struct StatusJSON: Encodable {
  private let state: String
  /// Where it runs, and as which process; absent where it does not.
  private let host: String?
  private let process: Int?
  private let phase: String
  private let model: String
  private let strategy: String
  private let program: String
  /// Of the original model on the search text; absent before it was measured.
  private let original: ScorePoint?
  private let trials: Int
  private let rungs: Int
  private let kept: Kept
  private let seconds: Double
  /// When the last record was written, in seconds since 1970.
  private let lastRecord: Double?

  private struct Kept: Encodable {
    let steps: Int
    let matrices: Int
    /// Nats per token of the search text; absent where nothing was measured.
    let delta: Double?
  }

  package init(_ status: RunStatus) {
    state = status.isFinished ? "finished" : status.isRunning ? "running" : "interrupted"
    (host, process) = (status.process?.host, status.process.map { Int($0.process) })
    phase = status.phase.rawValue
    model = status.header.settings.model
    strategy = status.header.settings.strategy.name
    program = status.header.program
    original = status.original.map(ScorePoint.init)
    (trials, rungs, seconds, lastRecord) = (status.trialCount, status.rungs.count, status.seconds, status.lastRecord)
    kept = Kept(steps: status.kept.steps, matrices: status.kept.matrixCount, delta: status.kept.delta)
  }

  private enum CodingKeys: String, CodingKey {
    case state, host, process, phase, model, strategy, program, original, trials, rungs, kept, seconds
    case lastRecord = "last_record"
  }
}
