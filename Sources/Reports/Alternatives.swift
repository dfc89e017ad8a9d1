internal import Evaluation
internal import RankReduction
internal import Search

/// The result beside what needs no search, all on the same held-out text: of a search of filters, what the same matrices
/// give without a choice of directions; and the base itself.
struct Alternatives {
  struct Row {
    let name: String
    let score: Score
    /// From the original model, in nats per token.
    let change: PairedDelta
    /// In which the true change lies at 95 %.
    let interval: ClosedRange<Double>?
    /// From this alternative to the result, below 0 where the result is better; nil for the result itself.
    let result: PairedDelta?
    /// Whether it is another model, not a change of this one.
    let isBase: Bool

    /// The score as `Measure` shows it.
    var value: String { Measure.value(score) }

    fileprivate init(_ name: String, _ comparison: SearchOutcome.Comparison, result: Score?, isBase: Bool = false) {
      self.name = name
      score = comparison.result
      (change, interval, self.isBase) = (comparison.delta, comparison.interval, isBase)
      self.result = result.map { PairedDelta(from: comparison.result, to: $0) }
    }
  }

  /// The result first.
  let rows: [Row]
  private let measure: Measure

  init(_ outcome: SearchOutcome) {
    let heldOut = outcome.heldOut
    measure = Measure(outcome.settings)
    let others = outcome.alternatives.map {
      // Nothing was changed where no damping passed its test.
      Row(
        $0.name + ($0.comparison.result == $0.comparison.baseline ? " (none holds)" : ""), $0.comparison,
        result: heldOut.result)
    }
    let base = outcome.base.map { [Row("the base itself", $0, result: heldOut.result, isBase: true)] } ?? []
    rows = [Row(Self.resultName(outcome), heldOut, result: nil)] + others + base
  }

  private static func resultName(_ outcome: SearchOutcome) -> String {
    let isFiltered = outcome.settings.strategy == .filters
    let what = isFiltered ? outcome.settings.filter.rawValue : outcome.settings.strategy.name
    let done = outcome.kept.isEmpty ? "nothing \(isFiltered ? "filtered" : "reduced")" : what
    return "result: " + (outcome.settings.isControl ? "random, \(done)" : done)
  }

  var isEmpty: Bool { rows.count < 2 }

  var base: Row? { rows.first(where: \.isBase) }

  /// The alternatives that are changes of the model, with the change from there to the result.
  private var changes: [(row: Row, result: PairedDelta)] {
    rows.compactMap { row in row.isBase ? nil : row.result.map { (row, $0) } }
  }

  /// The best of those that score better than the result, and by how much the result is behind; nil where none does.
  var better: (row: Row, loss: PairedDelta)? {
    changes.filter { $0.result.mean > 0 }.max { $0.result.mean < $1.result.mean }.map { ($0.row, $0.result) }
  }

  /// Those that score no better than the result, the best first.
  var behind: [(row: Row, gain: PairedDelta)] {
    changes.filter { $0.result.mean <= 0 }.sorted { $0.result.mean > $1.result.mean }.map { ($0.row, $0.result) }
  }

  /// For the terminal and for Markdown.
  var table: Table {
    var table = Table([place, measure.name, "change, \(measure.shortUnit)", "result against it"])
    for row in rows {
      table.append([row.name, row.value, Self.text(row.change), row.result.map(Self.text) ?? "–"])
    }
    return table
  }

  var place: String { "on all held-out \(measure.subject)" }

  var unit: String { measure.unit }

  /// What stands beside each.
  var valueName: String { measure.name }

  static func text(_ delta: PairedDelta) -> String {
    "\(Numbers.signed(delta.mean, 4)) ± \(Numbers.fixed(delta.standardError, 4))"
  }
}
