internal import Evaluation
package import Search

/// What became of several searches: one row each, failed ones too.
package struct BatchSummary {
  package struct Member {
    let name: String
    let folder: String
    let outcome: Result<SearchOutcome, any Error>

    package init(name: String, folder: String, outcome: Result<SearchOutcome, any Error>) {
      self.name = name
      self.folder = folder
      self.outcome = outcome
    }
  }

  private let members: [Member]

  package init(_ members: [Member]) { self.members = members }

  package var failures: Int {
    members.count { if case .failure = $0.outcome { true } else { false } }
  }

  package var outcomes: [SearchOutcome] { members.compactMap { try? $0.outcome.get() } }

  private var table: Table {
    var table = Table(["search", "kept", "trials", "search text", "held-out text", "held-out change", "verdict"])
    for member in members {
      switch member.outcome {
      case .success(let outcome):
        func perplexities(_ comparison: SearchOutcome.Comparison) -> String {
          "\(Measure.value(comparison.baseline)) → \(Measure.value(comparison.result))"
        }
        let delta = outcome.heldOut.delta
        table.append([
          member.name, "\(outcome.kept.count)", "\(JSONReport.measured(outcome))", perplexities(outcome.search),
          perplexities(outcome.heldOut), "\(Numbers.signed(delta.mean, 4)) ± \(Numbers.fixed(delta.standardError, 4))",
          VerdictText(outcome).short,
        ])
      case .failure: table.append([member.name, "–", "–", "–", "–", "–", "failed"])
      }
    }
    return table
  }

  private var problems: [String] {
    members.compactMap { member in
      if case .failure(let error) = member.outcome { "\(member.name): \(error)" } else { nil }
    }
  }

  /// Without the search text, whose gains prove nothing, a row fits a terminal.
  private var terminalTable: Table {
    var narrow = table
    narrow.header.remove(at: 3)
    for index in narrow.rows.indices { narrow.rows[index].remove(at: 3) }
    return narrow
  }

  package var plain: String {
    ([terminalTable.plain] + problems.map { "  " + $0 }).joined(separator: "\n") + "\n"
  }

  package var markdown: String {
    let notes = problems.isEmpty ? "" : "\n" + problems.map { "- " + Table.escaped($0) + "\n" }.joined()
    return """
      # \(members.count) searches

      Perplexity before → after, of questions accuracy; the change is in nats per token, or per question, paired by window,
      ± one standard error.

      \(table.markdown)
      \(notes)
      """
  }

  /// `{"searches": [{"name", "out", "report" or "error"}]}`
  package var json: some Encodable {
    struct Row: Encodable {
      let name: String
      let out: String
      let report: JSONReport?
      let error: String?
    }
    return [
      "searches": members.map { member in
        switch member.outcome {
        case .success(let outcome):
          Row(name: member.name, out: member.folder, report: JSONReport(outcome), error: nil)
        case .failure(let error): Row(name: member.name, out: member.folder, report: nil, error: "\(error)")
        }
      }
    ]
  }
}
