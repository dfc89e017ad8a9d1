internal import Evaluation
internal import RankReduction
internal import Search

/// All that was measured, in its order: folded away, for those who want to know.
enum TrialTable {
  /// Longer histories are read from report.json.
  private static let longest = 200

  /// The models of a search of filters.
  static func models(_ outcome: SearchOutcome) -> Markup {
    let head = ["model", "matrices", "filter", "k", "change, \(Measure(outcome.settings).unit)", "passes", "at"]
    let rows = outcome.rungs.prefix(longest).map { rung in
      [
        "\(rung.number)", "\(rung.group)\(rung.round > 1 ? ", round \(rung.round)" : ""), \(rung.sites)",
        rung.filter.rawValue, Numbers.plain(rung.damping),
        "\(Numbers.signed(rung.delta, 5)) ± \(Numbers.fixed(rung.standardError, 5))", rung.passes ? "yes" : "no",
        Numbers.duration(rung.seconds),
      ]
    }
    return folded("The models that were measured, in order", head, rows, of: outcome.rungs.count)
  }

  /// The trials of a search of ranks.
  static func trials(_ outcome: SearchOutcome) -> Markup {
    let windows = outcome.search.baseline.windows.count
    let measured = outcome.trials.filter { $0.pairedDelta != nil }
    let head = ["trial", "matrix", "rank", "change, \(Measure(outcome.settings).unit)", "windows", "outcome", "at"]
    let rows = measured.prefix(longest).map { trial in
      [
        "\(trial.number)", trial.site.shortName, "\(trial.rank) of \(trial.fullRank)",
        "\(Numbers.signed(trial.delta, 5)) ± \(Numbers.fixed(trial.standardError, 5))", "\(trial.windowsUsed)",
        trial.kept ? "accepted" : trial.windowsUsed < windows ? "stopped early" : "rejected",
        Numbers.duration(trial.seconds),
      ]
    }
    return folded("The trials, in order", head, rows, of: measured.count)
  }

  private static func folded(_ title: String, _ head: [String], _ rows: [[String]], of count: Int) -> Markup {
    let left = count - rows.count
    return element(
      "details", [:], element("summary", [:], .text(title)),
      element(
        "div", ["class": "scroll"],
        dataTable(head, rows)),
      left > 0
        ? element("p", ["class": "left-out"], .text("\(Numbers.grouped(left)) more are in report.json."))
        : .fragment([]))
  }
}
