internal import Evaluation
internal import FoundationEssentials
internal import Models
internal import RankReduction
package import Search
internal import Wording

/// report.json: what a search found, for programs. Deltas are nats per token, paired by window.
package struct JSONReport: Codable {
  private let search: Comparison
  private let heldOut: Comparison
  private let plan: [Entry]
  /// Of a filter search, models that were measured to choose k.
  private let trials: Int
  /// Of a filter search: the search for k, and what needs no choice of directions.
  private let rungs: [Rung]?
  private let alternatives: [Alternative]?
  /// Whether random directions took the place of singular ones.
  private let control: Bool?
  private let seconds: Double
  private let model: String
  private let base: String?
  private let convention: String
  private let context: Int
  private let stride: Int?

  private struct Point: Codable {
    let nll: Double
    /// Null in the file where it is beyond the range of doubles.
    let perplexity: Double

    init(_ score: Score) {
      nll = score.meanNLL
      perplexity = score.perplexity
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      nll = try container.decode(Double.self, forKey: .nll)
      perplexity = try container.decodeIfPresent(Double.self, forKey: .perplexity) ?? .infinity
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
    /// What the filter was made by; missing for a rank.
    let filter: String?
    let damping: Double?
    let scale: Float?
    /// Share of Σσ² that the filter takes away.
    let removed: Double?
    /// Of the change that all filters make together, as predicted.
    let predictedShare: Double?
    /// Fingerprint of the reduced matrix.
    let matrix: String?

    init(_ trial: SearchRecord.Trial, share: Double?, matrix: String?) {
      tensor = trial.tensor
      layer = trial.layer
      expert = trial.expert
      role = trial.role.rawValue
      kind = trial.kind.rawValue
      rank = trial.rank
      fullRank = trial.fullRank
      delta = trial.filter == nil ? trial.pairedDelta?.mean : nil
      standardError = trial.filter == nil ? trial.pairedDelta?.standardError : nil
      filter = trial.filter?.rawValue
      damping = trial.damping
      scale = trial.scale
      removed = trial.removed
      predictedShare = trial.filter == nil ? nil : share
      self.matrix = matrix
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
      try container.encodeIfPresent(filter, forKey: .filter)
      try container.encodeIfPresent(damping, forKey: .damping)
      try container.encodeIfPresent(scale, forKey: .scale)
      try container.encodeIfPresent(removed, forKey: .removed)
      try container.encodeIfPresent(predictedShare, forKey: .predictedShare)
      try container.encodeIfPresent(matrix, forKey: .matrix)
    }

    enum CodingKeys: String, CodingKey {
      case tensor, layer, expert, role, kind, rank
      case fullRank = "full_rank"
      case delta
      case standardError = "standard_error"
      case filter, damping, scale, removed
      case predictedShare = "predicted_share"
      case matrix
    }
  }

  /// A model measured to choose k; the change is from the model with what was chosen before.
  private struct Rung: Codable {
    let group: String
    let filter: String
    let damping: Double
    let matrices: Int
    let delta: Double
    let standardError: Double?
    let passes: Bool
    let alternative: Bool

    init(_ rung: SearchRecord.Rung) {
      (group, filter, damping, matrices) = (rung.group, rung.filter.rawValue, rung.damping, rung.sites)
      (delta, passes, alternative) = (rung.delta, rung.passes, rung.isAlternative)
      standardError = rung.standardError.isFinite ? rung.standardError : nil
    }

    enum CodingKeys: String, CodingKey {
      case group, filter, damping, matrices, delta
      case standardError = "standard_error"
      case passes, alternative
    }
  }

  /// On the held-out text: the change from the original, and the result's from there.
  private struct Alternative: Codable {
    let name: String
    let delta: Double
    let standardError: Double?
    let resultDelta: Double
    let resultStandardError: Double?

    init?(_ row: Alternatives.Row) {
      guard let result = row.result else { return nil }
      name = row.name
      delta = row.change.mean
      standardError = row.change.standardError.isFinite ? row.change.standardError : nil
      resultDelta = result.mean
      resultStandardError = result.standardError.isFinite ? result.standardError : nil
    }

    enum CodingKeys: String, CodingKey {
      case name, delta
      case standardError = "standard_error"
      case resultDelta = "result_delta"
      case resultStandardError = "result_standard_error"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case search
    case heldOut = "held_out"
    case plan, trials, rungs, alternatives, control, seconds, model, base, convention, context, stride
  }

  package init(_ outcome: SearchOutcome) {
    search = Comparison(outcome.search)
    heldOut = Comparison(outcome.heldOut)
    let matrices = outcome.matrices.count == outcome.kept.count ? outcome.matrices : []
    plan = FilterEntry.entries(outcome).enumerated().map { index, entry in
      Entry(entry.trial, share: entry.share, matrix: matrices.isEmpty ? nil : matrices[index])
    }
    trials = Self.measured(outcome)
    let filters = FilterText(outcome)
    rungs = filters == nil ? nil : outcome.rungs.map(Rung.init)
    alternatives = filters?.alternatives.rows.compactMap(Alternative.init)
    control = filters == nil ? nil : outcome.settings.isControl
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
  /// Whether it is a report of this plan and no other: of the same reductions, making the same matrices where both say
  /// which.
  func describes(_ plan: Plan) -> Bool {
    self.plan.count == plan.reductions.count
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
    let names = distinctNames(corpora.map { $0.text ?? "" })
    let results = zip(names, corpora).flatMap { name, corpus in
      [
        "  - task:", "      type: text-generation", "    dataset:", "      name: \(yamlScalar(name))",
        "      type: text",
        "    metrics:", "    - type: perplexity", "      name: \(yamlScalar("Perplexity, \(conventionText)"))",
        "      value: \(corpus.result.perplexity)",
      ]
    }
    return ["- name: \(yamlScalar(name))", "  results:"] + results
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
