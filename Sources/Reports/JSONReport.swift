internal import Evaluation
internal import FoundationEssentials
internal import Models
internal import RankReduction
package import Search

/// report.json: what a search found, for programs. Deltas are nats per token, paired by window.
package struct JSONReport: Codable {
  private let search: Comparison
  private let heldOut: Comparison
  private let plan: [Entry]
  private let trials: Int
  private let seconds: Double
  private let model: String
  private let base: String?
  private let convention: String
  private let context: Int
  private let stride: Int?

  private struct Point: Codable {
    let nll: Double
    let perplexity: Double

    init(_ score: Score) {
      nll = score.meanNLL
      perplexity = score.perplexity
    }
  }

  private struct Comparison: Codable {
    let text: String?
    let baseline: Point
    let result: Point
    let delta: Double
    let standardError: Double?
    let corpora: [Comparison]?

    init(text: String?, baseline: Score, result: Score, corpora: [Comparison]?) {
      self.text = text
      self.baseline = Point(baseline)
      self.result = Point(result)
      let paired = PairedDelta(from: baseline, to: result)
      delta = paired.mean
      standardError = paired.standardError.isFinite ? paired.standardError : nil  // JSON has no infinity
      self.corpora = corpora
    }

    init(_ comparison: SearchOutcome.Comparison) {
      self.init(
        text: nil, baseline: comparison.baseline, result: comparison.result,
        corpora: comparison.corpora.map {
          Comparison(text: $0.path, baseline: $0.baseline, result: $0.result, corpora: nil)
        })
    }

    enum CodingKeys: String, CodingKey {
      case text, baseline, result, delta
      case standardError = "standard_error"
      case corpora
    }
  }

  private struct Entry: Codable {
    let tensor: String
    let layer: Int
    let expert: Int?
    let role: String
    let kind: String
    let rank: Int
    let fullRank: Int
    /// Null where the reduction was not measured by itself.
    let delta: Double?
    let standardError: Double?

    init(_ trial: SearchRecord.Trial) {
      tensor = trial.tensor
      layer = trial.layer
      expert = trial.expert
      role = trial.role.rawValue
      kind = trial.kind.rawValue
      rank = trial.rank
      fullRank = trial.fullRank
      delta = trial.pairedDelta?.mean
      standardError = trial.pairedDelta?.standardError
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(tensor, forKey: .tensor)
      try container.encode(layer, forKey: .layer)
      try container.encodeIfPresent(expert, forKey: .expert)
      try container.encode(role, forKey: .role)
      try container.encode(kind, forKey: .kind)
      try container.encode(rank, forKey: .rank)
      try container.encode(fullRank, forKey: .fullRank)
      try container.encode(delta, forKey: .delta)
      try container.encode(standardError, forKey: .standardError)
    }

    enum CodingKeys: String, CodingKey {
      case tensor, layer, expert, role, kind, rank
      case fullRank = "full_rank"
      case delta
      case standardError = "standard_error"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case search
    case heldOut = "held_out"
    case plan, trials, seconds, model, base, convention, context, stride
  }

  package init(_ outcome: SearchOutcome) {
    search = Comparison(outcome.search)
    heldOut = Comparison(outcome.heldOut)
    plan = outcome.kept.map(Entry.init)
    trials = outcome.trialCount
    seconds = outcome.seconds
    model = outcome.settings.model
    base = outcome.settings.base
    convention = outcome.settings.conventionName
    context = outcome.settings.context
    stride = outcome.settings.convention.stride
  }
}

// MARK: - What a model card reads

extension JSONReport {
  /// Whether it is a report of this plan and no other.
  func describes(_ plan: Plan) -> Bool {
    self.plan.map { "\($0.layer) \($0.expert ?? -1) \($0.role) \($0.kind) \($0.rank)" }
      == plan.reductions.map { "\($0.layer) \($0.expert ?? -1) \($0.role.rawValue) \($0.kind.rawValue) \($0.rank)" }
  }

  var conventionText: String {
    "convention \(convention), context \(context)" + (stride.map { ", stride \($0)" } ?? "")
  }

  /// As `SummaryText.perplexities` has it.
  var perplexities: Table {
    var table = Table(["text", "before", "after", "change, nats/token"])
    func row(_ name: String, _ comparison: Comparison) {
      table.append([
        name, Numbers.fixed(comparison.baseline.perplexity, 3), Numbers.fixed(comparison.result.perplexity, 3),
        "\(Numbers.signed(comparison.delta, 4)) ± \(Numbers.fixed(comparison.standardError ?? .infinity, 4))",
      ])
    }
    for (title, comparison) in [("search", search), ("held-out", heldOut)] {
      let corpora = comparison.corpora ?? []
      for (name, corpus) in zip(distinctNames(corpora.map { $0.text ?? "" }), corpora) { row(name, corpus) }
      row("all \(title) text", comparison)
    }
    return table
  }
}
