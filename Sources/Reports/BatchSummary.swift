internal import Evaluation
package import Search

/// What became of several searches: one row each, failed and unfinished ones too.
package struct BatchSummary {
  package enum Outcome {
    case finished(SearchOutcome)
    case failed(any Error)
    /// Nothing is wrong with it: running the batch goes on with it.
    case unfinished(RecipeState)
  }

  package struct Member {
    let name: String
    let folder: String
    let outcome: Outcome

    package init(name: String, folder: String, outcome: Outcome) {
      self.name = name
      self.folder = folder
      self.outcome = outcome
    }
  }

  private let members: [Member]

  package init(_ members: [Member]) { self.members = members }

  package var failures: Int {
    members.count { if case .failed = $0.outcome { true } else { false } }
  }

  package var outcomes: [SearchOutcome] {
    members.compactMap { if case .finished(let outcome) = $0.outcome { outcome } else { nil } }
  }

  private var table: Table {
    var table = Table(["search", "kept", "trials", "search text", "held-out text", "held-out change", "verdict"])
    for member in members {
      switch member.outcome {
      case .finished(let outcome):
        func perplexities(_ comparison: SearchOutcome.Comparison) -> String {
          "\(Measure.value(comparison.baseline)) → \(Measure.value(comparison.result))"
        }
        let delta = outcome.heldOut.delta
        table.append([
          member.name, "\(outcome.kept.count)", "\(JSONReport.measured(outcome))", perplexities(outcome.search),
          perplexities(outcome.heldOut), "\(Numbers.signed(delta.mean, 4)) ± \(Numbers.fixed(delta.standardError, 4))",
          VerdictText(outcome).short,
        ])
      case .failed: table.append([member.name, "–", "–", "–", "–", "–", "failed"])
      case .unfinished(let state): table.append([member.name, "–", "–", "–", "–", "–", state.text])
      }
    }
    return table
  }

  private var problems: [String] {
    members.compactMap { member in
      if case .failed(let error) = member.outcome { "\(member.name): \(error)" } else { nil }
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

  /// `{"searches": [{"name", "out", "report" or "error" or "state"}]}`
  package var json: some Encodable {
    struct Row: Encodable {
      let name: String
      let out: String
      let report: JSONReport?
      let error: String?
      let state: String?

      init(_ member: Member, report: JSONReport? = nil, error: String? = nil, state: String? = nil) {
        (name, out, self.report, self.error, self.state) = (member.name, member.folder, report, error, state)
      }
    }
    return [
      "searches": members.map { member in
        switch member.outcome {
        case .finished(let outcome): Row(member, report: JSONReport(outcome))
        case .failed(let error): Row(member, error: "\(error)")
        case .unfinished(let state): Row(member, state: state.rawValue)
        }
      }
    ]
  }
}
