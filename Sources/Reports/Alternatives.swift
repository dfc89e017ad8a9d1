internal import Evaluation
internal import RankReduction
internal import Search

/// The result of a filter search beside what needs no choice of directions, all on the same held-out text.
struct Alternatives {
  struct Row {
    let name: String
    /// From the original model, in nats per token.
    let change: PairedDelta
    /// From this alternative to the result, below 0 where the result is better; nil for the result itself.
    let result: PairedDelta?
  }

  /// The result first.
  let rows: [Row]

  init(_ outcome: SearchOutcome) {
    let heldOut = outcome.heldOut
    let others = outcome.alternatives.map {
      // Nothing was changed where no damping passed its test.
      Row(
        name: $0.name + ($0.comparison.result == $0.comparison.baseline ? " (none holds)" : ""),
        change: $0.comparison.delta,
        result: PairedDelta(from: $0.comparison.result, to: heldOut.result))
    }
    rows = [Row(name: Self.resultName(outcome), change: heldOut.delta, result: nil)] + others
  }

  private static func resultName(_ outcome: SearchOutcome) -> String {
    let what = outcome.kept.isEmpty ? "nothing filtered" : outcome.settings.filter.rawValue
    return "the result: " + (outcome.settings.isControl ? "random directions, \(what)" : what)
  }

  var isEmpty: Bool { rows.count < 2 }

  /// The best of those that score better than the result, and by how much the result is behind; nil where none does.
  var better: (row: Row, loss: PairedDelta)? {
    rows.compactMap { row in row.result.map { (row, $0) } }.filter { $0.1.mean > 0 }.max { $0.1.mean < $1.1.mean }
  }

  /// The best of those that score no better than the result.
  var nearest: (row: Row, gain: PairedDelta)? {
    rows.compactMap { row in row.result.map { (row, $0) } }.filter { $0.1.mean <= 0 }.max { $0.1.mean < $1.1.mean }
  }

  /// For the terminal and for Markdown.
  var table: Table {
    var table = Table(["on all held-out text", "change, nats/token", "result against it"])
    for row in rows { table.append([row.name, Self.text(row.change), row.result.map(Self.text) ?? "–"]) }
    return table
  }

  static func text(_ delta: PairedDelta) -> String {
    "\(Numbers.signed(delta.mean, 4)) ± \(Numbers.fixed(delta.standardError, 4))"
  }
}
