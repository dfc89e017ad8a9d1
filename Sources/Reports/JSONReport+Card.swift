internal import Checkpoints
internal import Models
internal import RankReduction
internal import Search
internal import Wording

// What a model card reads of a report.

extension JSONReport {
  /// Whether it is a report of this plan and no other: of the same reductions, making the same matrices where both say
  /// which. That of a control is of none.
  func describes(_ plan: Plan) -> Bool {
    !control && self.plan.count == plan.reductions.count
      && zip(self.plan, plan.reductions).allSatisfy { mine, other in
        // A truncation is a rank, however it was found.
        let filter = mine.filter.flatMap { $0 == FilterKind.truncate.rawValue ? nil : $0 }
        let isSameMatrix = mine.matrix.flatMap { mine in other.matrix.map { $0 == mine } } ?? true
        return mine.layer == other.layer && mine.expert == other.expert && mine.role == other.role.rawValue
          && mine.kind == other.kind.rawValue && mine.rank == other.rank && filter == other.filter?.rawValue
          && isSameMatrix
      }
  }

  /// How many trials there were; of a filter search, models measured to choose k.
  static func measured(_ outcome: SearchOutcome) -> Int {
    FilterText(outcome) == nil ? outcome.trialCount : outcome.rungs.count
  }

  var conventionText: String {
    "convention \(convention), context \(context)" + (stride.map { ", stride \($0)" } ?? "")
  }

  /// The perplexities of the result on held-out texts as Hugging Face reads them: the items of `model-index`. None where
  /// one is beyond the range of doubles, which is nothing to show.
  func modelIndex(name: String) -> [String] {
    let corpora = heldOut.corpora ?? []
    guard !corpora.isEmpty, corpora.allSatisfy({ $0.result.perplexity.isFinite }) else { return [] }
    let results = corpora.flatMap { corpus -> [String] in
      let name = corpus.name ?? ""
      if let acc = corpus.result.acc {
        let scores = [("acc", acc)] + (corpus.result.accNorm.map { [("acc_norm", $0)] } ?? [])
        return [
          "  - task:", "      type: multiple-choice", "    dataset:", "      name: \(yamlScalar(name))",
          "      type: text",
          "    metrics:",
        ]
          + scores.flatMap { metric, value in
            ["    - type: \(metric)", "      name: \(metric)", "      value: \(value)"]
          }
      }
      return [
        "  - task:", "      type: text-generation", "    dataset:", "      name: \(yamlScalar(name))",
        "      type: text",
        "    metrics:", "    - type: perplexity", "      name: \(yamlScalar("Perplexity, \(conventionText)"))",
        "      value: \(corpus.result.perplexity)",
      ]
    }
    return ["- name: \(yamlScalar(name))", "  results:"] + results
  }

  /// The share of right answers to held-out questions of a file.
  func accuracy(onQuestions file: String) -> Double? {
    heldOut.corpora?.first { $0.text.map { fileName($0) } == file }?.result.acc
  }

  /// As `SummaryText.perplexities` has it.
  var perplexities: Table {
    let points = [search, heldOut].flatMap { [$0] + ($0.corpora ?? []) }.map(\.baseline)
    let isOfQuestions = points.allSatisfy { $0.acc != nil }
    var table = Table(["text", "before", "after", "change, nats/\(isOfQuestions ? "question" : "token")"])
    func row(_ name: String, _ comparison: Comparison) {
      table.append([
        name, comparison.baseline.text, comparison.result.text,
        "\(Numbers.signed(comparison.delta, 4)) ± \(Numbers.fixed(comparison.standardError ?? .infinity, 4))",
      ])
    }
    for (title, comparison) in [("search", search), ("held-out", heldOut)] {
      let corpora = comparison.corpora ?? []
      for corpus in corpora { row(corpus.name ?? "", corpus) }
      row("all \(title) \(isOfQuestions ? "questions" : "text")", comparison)
    }
    return table
  }
}
