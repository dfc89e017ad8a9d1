internal import Checkpoints
internal import Evaluation
package import Search
internal import Wording

/// How many questions are answered rightly before and after, and how many were healed and broken.
package struct AnswerChanges {
  struct Row {
    let name: String
    let baseline: Score
    let result: Score

    var healed: Int { changes { !$0 && $1 } }
    var broken: Int { changes { $0 && !$1 } }
    /// Of acc, paired by question, with its interval of 95 %.
    var change: String {
      let changes = zip(baseline.windows, result.windows).compactMap { before, after -> WindowScore? in
        guard let before = before.isRight, let after = after.isRight else { return nil }
        return WindowScore(nll: (after ? 1 : 0) - (before ? 1 : 0), tokens: 1)
      }
      let score = Score(changes)
      let delta = PairedDelta(mean: score.meanNLL, standardError: score.standardError)
      let interval = Significance.interval(delta, windows: changes.count)
      return Numbers.signed(delta.mean, 3)
        + (interval.map { " (\(Numbers.signed($0.lowerBound, 3)) to \(Numbers.signed($0.upperBound, 3)))" } ?? "")
    }
    /// McNemar's exact test, two-sided.
    var pValue: Double { AnswerComparison.mcNemar(healed: healed, broken: broken) }

    private func changes(_ isChange: (Bool, Bool) -> Bool) -> Int {
      zip(baseline.windows, result.windows).count { before, after in
        guard let before = before.isRight, let after = after.isRight else { return false }
        return isChange(before, after)
      }
    }
  }

  /// Held-out questions that were healed or broken, the first of each file.
  private let examples: [QuestionChange]
  /// By file, held-out ones first; all of a part where it has several.
  let rows: [Row]

  /// Nil for a search without questions.
  package init?(_ outcome: SearchOutcome) {
    var rows: [Row] = []
    for (title, comparison) in [("held-out", outcome.heldOut), ("search", outcome.search)] {
      let names = distinctNames(comparison.corpora.map(\.path))
      let files = zip(names, comparison.corpora).filter { $1.baseline.accuracy != nil }
      rows += files.map { Row(name: "\($0), \(title)", baseline: $1.baseline, result: $1.result) }
      if files.count > 1 {
        rows.append(
          Row(name: "all \(title) questions", baseline: comparison.baseline, result: comparison.result))
      }
    }
    guard !rows.isEmpty else { return nil }
    self.rows = rows
    examples = outcome.changes
  }

  package static let note =
    "Answers before and after: acc, its change with an interval of 95 %, paired by question, and acc_norm, by likelihoods "
    + "divided by the choices' characters; the questions healed and broken by acc, and the probability that chance alone would change as many so unequally "
    + "(McNemar's exact test, two-sided)."

  package var table: Table {
    var table = Table(["questions", "acc", "after", "change", "acc_norm", "after", "healed", "broken", "p"])
    for row in rows {
      func text(_ accuracy: Accuracy?) -> String { accuracy.map { Numbers.fixed($0.share, 3) } ?? "–" }
      table.append([
        row.name, text(row.baseline.accuracy), text(row.result.accuracy), row.change,
        text(row.baseline.accuracyByLength), text(row.result.accuracyByLength), "\(row.healed)", "\(row.broken)",
        row.pValue < 0.0001 ? "<0.0001" : Numbers.fixed(row.pValue, 4),
      ])
    }
    return table
  }

  var markup: Markup {
    let table = table
    return section(
      "Answers", note: Self.note,
      [
        dataTable(table.header, table.rows), folded,
      ])
  }

  /// What changed, question by question.
  private var folded: Markup {
    guard !examples.isEmpty else { return [] }
    let table = exampleTable
    return element(
      "details", [:], element("summary", [:], "Questions healed and broken, the first of each file"),
      element("div", [:], dataTable(table.header, table.rows)))
  }

  /// Nil where no held-out question changed.
  var foldedMarkdown: String? {
    guard !examples.isEmpty else { return nil }
    return
      "<details><summary>Questions healed and broken, the first of each file</summary>\n\n\(exampleTable.markdown)\n</details>"
  }

  private var exampleTable: Table {
    var table = Table(["", "questions", "question", "right", "before", "after"])
    for change in examples {
      table.append([
        change.isHealed ? "healed" : "broken", "\(fileName(change.questions)), line \(change.line)",
        questionExcerpt(change.text), questionExcerpt(change.gold), change.before.map(questionExcerpt) ?? "–",
        change.after.map(questionExcerpt) ?? "–",
      ])
    }
    return table
  }
}

/// The end of a text, which is what a question asks.
package func questionExcerpt(_ text: String) -> String {
  let line = printable(text.split(whereSeparator: \.isWhitespace).joined(separator: " "))
  return line.count > 90 ? "… " + line.suffix(88) : line
}
