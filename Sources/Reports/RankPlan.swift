internal import Checkpoints
internal import Evaluation
internal import Models
internal import Search

/// The plan of a search of ranks: of each matrix the remaining rank, its whole effect, and the last step to it.
struct RankPlan {
  private let outcome: SearchOutcome
  private let sites: [Site: SiteOutcome]
  private let isMixture: Bool
  /// Whether some matrix was reduced in several steps.
  private let hasSteps: Bool

  /// Longer plans are read from plan.yaml.
  private static let longest = 400

  init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    let kept = outcome.sites.filter { $0.keptTrial != nil }
    sites = Dictionary(kept.map { ($0.site, $0) }) { first, _ in first }
    isMixture = outcome.kept.contains { $0.expert != nil }
    hasSteps = kept.contains { $0.steps > 1 }
  }

  private var isMeasured: Bool { outcome.kept.contains { $0.pairedDelta != nil } }

  // MARK: Cells

  /// What a matrix contributes: the sum of its steps. An error is known where there was one.
  private func wholeEffect(_ trial: SearchRecord.Trial) -> (value: String, error: String) {
    guard let site = sites[trial.site], let best = site.best else { return ("–", "") }
    let value = Numbers.signed(best.delta, 5)
    return (value, site.steps > 1 ? " in \(site.steps) steps" : error(trial))
  }

  private func lastStep(_ trial: SearchRecord.Trial) -> (value: String, error: String) {
    trial.pairedDelta.map { (Numbers.signed($0.mean, 5), error(trial)) } ?? ("–", "")
  }

  private func error(_ trial: SearchRecord.Trial) -> String { " ± \(Numbers.fixed(trial.standardError, 5))" }

  private func effects(_ trial: SearchRecord.Trial) -> [(value: String, error: String)] {
    (isMeasured ? [wholeEffect(trial)] : []) + (hasSteps ? [lastStep(trial)] : [])
  }

  private var effectHeads: [String] {
    (isMeasured ? [hasSteps ? "whole effect" : "effect"] : []) + (hasSteps ? ["last step"] : [])
  }

  // MARK: Texts

  var note: String {
    let what = outcome.settings.base.map { "the difference to \(fileName($0))" } ?? "the weights"
    let more = outcome.kept.count - Self.longest
    return [
      "\(matrices(outcome.kept.count)) reduced (\(what) truncated), in this order.",
      outcome.settings.isControl
        ? "A control leaves no plan." : "plan.yaml in the run folder says the same for laser apply.", effectText,
      sizeText, more > 0 ? "The last \(more) are not shown." : nil,
    ].compactMap(\.self).joined(separator: " ")
  }

  /// How the columns add up.
  var effectText: String? {
    guard isMeasured else { return nil }
    let sum = outcome.kept.reduce(0) { $0 + (sites[$1.site]?.best?.delta ?? 0) }
    let measure = Measure(outcome.settings)
    return "\(hasSteps ? "Whole effects" : "Effects"), in \(measure.unit) on the search \(measure.subject), add up to "
      + "\(Numbers.signed(sum, 4)); the finished model measures \(Numbers.signed(outcome.search.delta.mean, 4))."
  }

  /// What the files come to.
  private var sizeText: String? {
    guard outcome.settings.base == nil, outcome.sizes.before > 0, !outcome.settings.isControl else { return nil }
    let (before, factored) = outcome.sizes
    return "The written checkpoint is as large as the original; with --factored these matrices have "
      + "\(Numbers.grouped(factored)) numbers instead of \(Numbers.grouped(before))."
  }

  // MARK: Tables

  var markup: Markup {
    let head = ["layer"] + (isMixture ? ["expert"] : []) + ["role", "rank"] + effectHeads
    let rows = outcome.kept.prefix(Self.longest).map { trial -> Markup in
      func cell(_ value: String, _ minor: String = "") -> Markup {
        element("td", [:], .text(value), minor.isEmpty ? [] : element("span", ["class": "minor"], .text(minor)))
      }
      let expert = isMixture ? [cell(trial.expert.map(String.init) ?? "–")] : []
      let rank = [cell(trial.role.rawValue), cell("\(trial.rank)", " of \(trial.fullRank)")]
      return element(
        "tr", [:], [cell("\(trial.layer)")] + expert + rank + effects(trial).map { cell($0.value, $0.error) })
    }
    return element(
      "div", ["class": hasSteps ? "plan" : "columns plan"],
      dataTable(head, rows))
  }

  /// For Markdown.
  var table: Table {
    var table = Table(["layer"] + (isMixture ? ["expert"] : []) + ["role", "rank", "of"] + effectHeads)
    for trial in outcome.kept {
      table.append(
        ["\(trial.layer)"] + (isMixture ? [trial.expert.map(String.init) ?? "–"] : []) + [
          trial.role.rawValue, "\(trial.rank)", "\(trial.fullRank)",
        ] + effects(trial).map { $0.value + $0.error })
    }
    return table
  }
}
