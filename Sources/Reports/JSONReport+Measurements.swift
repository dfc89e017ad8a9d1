internal import Evaluation
internal import Models
internal import RankReduction
internal import Search

// What a search measured on its way, as report.json has it. JSON has no infinity: an error that one window tells nothing
// of is null.

extension JSONReport {
  /// A reduction that was measured by itself, against the model as it then was.
  struct Trial: Codable {
    let number: Int
    let phase: String
    let tensor: String
    let layer: Int
    let expert: Int?
    let role: String
    let rank: Int
    let fullRank: Int
    /// How many windows were run; all, unless it was stopped.
    let windows: Int
    let delta: Double
    let standardError: Double?
    /// Of its test.
    let level: Double
    let kept: Bool
    let seconds: Double

    init(_ trial: SearchRecord.Trial) {
      (number, phase, tensor, layer) = (trial.number, trial.phase.rawValue, trial.tensor, trial.layer)
      (expert, role, rank, fullRank) = (trial.expert, trial.role.rawValue, trial.rank, trial.fullRank)
      (windows, delta, level) = (trial.windowsUsed, trial.delta, trial.level)
      standardError = trial.standardError.isFinite ? trial.standardError : nil
      (kept, seconds) = (trial.kept, trial.seconds)
    }

    enum CodingKeys: String, CodingKey {
      case number, phase, tensor, layer, expert, role, rank
      case fullRank = "full_rank"
      case windows, delta
      case standardError = "standard_error"
      case level, kept, seconds
    }
  }

  /// A model measured to choose k; the change is from the model with what was chosen before.
  struct Rung: Codable {
    let number: Int
    let round: Int
    let group: String
    let filter: String
    let damping: Double
    let matrices: Int
    let delta: Double
    let standardError: Double?
    let level: Double
    let passes: Bool
    let alternative: Bool
    let seconds: Double

    init(_ rung: SearchRecord.Rung) {
      (number, round, group, filter) = (rung.number, rung.round, rung.group, rung.filter.rawValue)
      (damping, matrices, delta, level) = (rung.damping, rung.sites, rung.delta, rung.level)
      standardError = rung.standardError.isFinite ? rung.standardError : nil
      (passes, alternative, seconds) = (rung.passes, rung.isAlternative, rung.seconds)
    }

    enum CodingKeys: String, CodingKey {
      case number, round, group, filter, damping, matrices, delta
      case standardError = "standard_error"
      case level, passes, alternative, seconds
    }
  }

  /// On the held-out text: the change from the original, and the result's from there.
  struct Alternative: Codable {
    let name: String
    let perplexity: Double?
    let delta: Double
    let standardError: Double?
    let resultDelta: Double
    let resultStandardError: Double?

    init?(_ row: Alternatives.Row) {
      guard let result = row.result else { return nil }
      name = row.name
      perplexity = row.score.perplexity.isFinite ? row.score.perplexity : nil
      delta = row.change.mean
      standardError = row.change.standardError.isFinite ? row.change.standardError : nil
      resultDelta = result.mean
      resultStandardError = result.standardError.isFinite ? result.standardError : nil
    }

    enum CodingKeys: String, CodingKey {
      case name, perplexity, delta
      case standardError = "standard_error"
      case resultDelta = "result_delta"
      case resultStandardError = "result_standard_error"
    }
  }
}
