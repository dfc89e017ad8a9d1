internal import Checkpoints
internal import Evaluation
internal import FoundationEssentials
internal import Models
internal import RankReduction
package import Search
internal import Wording

/// report.json: what a search found, for programs. Deltas are nats per token, paired by window.
package struct JSONReport: Codable {
  private let verdict: String
  /// The verdict in words.
  private let summary: String
  private let strategy: String
  let search: Comparison
  let heldOut: Comparison
  /// The text that may not get worse; missing where nothing is guarded.
  private let guarded: Comparison?
  /// The share of the gain on the search text that is there on held-out text too; null where there was none.
  private let survivingShare: Double?
  let plan: [Entry]
  /// How many reductions were measured, each by itself; of a filter search, models that were measured to choose k.
  private let measured: Int
  /// Of a search of ranks: all of them.
  private let trials: [Trial]
  /// Of a filter search: the search for k.
  private let rungs: [Rung]
  /// What needs no search of its own, on the held-out text.
  private let alternatives: [Alternative]
  /// Whether random directions took the place of singular ones.
  let control: Bool
  private let seconds: Double
  private let spentBudget: Bool
  private let model: String
  private let base: String?
  let convention: String
  let context: Int
  let stride: Int?
  /// As journals have them.
  private let settings: SearchSettings
  private let fingerprints: Fingerprints
  private let program: String
  private let started: String?
  private let machine: String?

  /// Of the files that were read.
  private struct Fingerprints: Codable {
    let model: String
    let base: String?
    let tokenizer: String
    let text: [String]
    let heldOut: [String]

    enum CodingKeys: String, CodingKey {
      case model, base, tokenizer, text
      case heldOut = "held_out"
    }
  }

  struct Comparison: Codable {
    /// Of one text: its path, and what reports call it.
    let text: String?
    let name: String?
    let baseline: ScorePoint
    let result: ScorePoint
    let delta: Double
    let standardError: Double?
    /// Of 95 %.
    let interval: [Double]?
    let corpora: [Comparison]?

    init(
      text: String?, name: String?, baseline: Score, result: Score, interval: ClosedRange<Double>?,
      corpora: [Comparison]?
    ) {
      self.text = text
      self.name = name
      self.interval = interval.map { [$0.lowerBound, $0.upperBound] }
      self.baseline = ScorePoint(baseline)
      self.result = ScorePoint(result)
      let paired = PairedDelta(from: baseline, to: result)
      delta = paired.mean
      standardError = paired.standardError.isFinite ? paired.standardError : nil  // JSON has no infinity
      self.corpora = corpora
    }

    init(_ comparison: SearchOutcome.Comparison, names: [String]) {
      self.init(
        text: nil, name: nil, baseline: comparison.baseline, result: comparison.result, interval: comparison.interval,
        corpora: zip(comparison.corpora, names).map { corpus, name in
          Comparison(
            text: corpus.path, name: name, baseline: corpus.baseline, result: corpus.result, interval: corpus.interval,
            corpora: nil)
        })
    }

    enum CodingKeys: String, CodingKey {
      case text, name, baseline, result, delta, interval
      case standardError = "standard_error"
      case corpora
    }
  }

  struct Entry: Codable {
    let tensor: String
    let layer: Int
    let expert: Int?
    let role: String
    let kind: String
    let rank: Int
    let fullRank: Int
    /// Of its last step, as plan.yaml has it; null where the reduction was not measured by itself.
    let delta: Double?
    let standardError: Double?
    /// Of all its steps; missing where none was measured.
    let wholeDelta: Double?
    let steps: Int?
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

    init(_ trial: SearchRecord.Trial, site: SiteOutcome?, share: Double?, matrix: String?) {
      let isMeasured = trial.filter == nil && trial.pairedDelta != nil
      wholeDelta = isMeasured ? site?.best?.delta : nil
      steps = isMeasured ? site?.steps : nil
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
      try container.encodeIfPresent(wholeDelta, forKey: .wholeDelta)
      try container.encodeIfPresent(steps, forKey: .steps)
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
      case wholeDelta = "whole_delta"
      case steps, filter, damping, scale, removed
      case predictedShare = "predicted_share"
      case matrix
    }
  }

  private enum CodingKeys: String, CodingKey {
    case verdict, summary, strategy, search, guarded
    case heldOut = "held_out"
    case survivingShare = "surviving_share"
    case plan, measured, trials, rungs, alternatives, control, seconds
    case spentBudget = "spent_budget"
    case model, base, convention, context, stride, settings, fingerprints, program, started, machine
  }

  package init(_ outcome: SearchOutcome) {
    let (settings, inputs, names) = (outcome.settings, outcome.inputs, TextNames(outcome))
    verdict = outcome.verdict.rawValue
    summary = VerdictText(outcome).sentences.joined(separator: " ")
    strategy = settings.strategy.name
    search = Comparison(outcome.search, names: names.search)
    heldOut = Comparison(outcome.heldOut, names: names.heldOut)
    guarded = outcome.guarded.map { Comparison($0, names: $0.corpora.map { fileName($0.path) }) }
    survivingShare = outcome.survivingShare
    let matrices = outcome.matrices.count == outcome.kept.count ? outcome.matrices : []
    let sites = Dictionary(outcome.sites.map { ($0.site, $0) }) { first, _ in first }
    plan = FilterEntry.entries(outcome).enumerated().map { index, entry in
      Entry(
        entry.trial, site: sites[entry.trial.site], share: entry.share,
        matrix: matrices.isEmpty ? nil : matrices[index])
    }
    measured = Self.measured(outcome)
    trials = outcome.trials.filter { $0.evidence == .measured }.map(Trial.init)
    rungs = outcome.rungs.map(Rung.init)
    alternatives = Alternatives(outcome).rows.compactMap(Alternative.init)
    control = settings.isControl
    seconds = outcome.seconds
    spentBudget = outcome.spentBudget
    model = settings.model
    base = settings.base
    convention = settings.conventionName
    context = settings.context
    stride = settings.convention.stride
    self.settings = settings
    fingerprints = Fingerprints(
      model: inputs.model.fingerprint, base: inputs.base?.fingerprint, tokenizer: inputs.tokenizer,
      text: inputs.text.map(\.fingerprint), heldOut: inputs.heldOut.map(\.fingerprint))
    (program, started, machine) = (outcome.header.program, outcome.header.started, outcome.header.machine)
  }
}
