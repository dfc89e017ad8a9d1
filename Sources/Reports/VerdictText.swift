internal import Evaluation
internal import RankReduction
package import Search

/// Whether the model got better, in words: shared by the terminal and all reports.
package struct VerdictText {
  private let outcome: SearchOutcome
  private let alternatives: Alternatives
  private let isFiltered: Bool
  private let measure: Measure

  package init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    alternatives = Alternatives(outcome)
    measure = Measure(outcome.settings)
    isFiltered = outcome.settings.strategy == .filters
  }

  // MARK: Whole verdicts

  /// In sentences, what comes before all else first.
  package var sentences: [String] { [loss, finding, guarded, survivors, worth, base].compactMap(\.self) }

  /// A word or two for a table.
  package var short: String {
    if hasBetterAlternative { return "a simpler change is better" }
    return switch outcome.verdict {
    case .control: "a control"
    case .nothingKept: "nothing holds"
    case .holds: "holds"
    case .doesNotHold: "does not hold"
    case .breaksGuard: "guard text got worse"
    case .withinTolerance: "within tolerance"
    case .beyondTolerance: "beyond tolerance"
    }
  }

  /// What the page says first.
  var headline: String {
    if hasBetterAlternative, let (row, _) = alternatives.better { return "A simpler change is better: \(row.name)." }
    return switch outcome.verdict {
    case .control: "A control: what random directions do instead."
    case .nothingKept where isUntried: "Nothing was reduced, and the model is left as it is."
    case .nothingKept: "No \(isFiltered ? "filter" : "reduction") helped, and the model is left as it is."
    case .holds: "The model got better, and the gain holds on \(measure.subject) that the search never saw."
    case .breaksGuard: "The guard text got worse by more than is allowed."
    case .withinTolerance:
      "The model got smaller, and its loss stays within the tolerance on held-out \(measure.subject)."
    case .beyondTolerance: "The model got smaller, but on held-out \(measure.subject) its loss exceeds the tolerance."
    case .doesNotHold where isWorse: "The model got worse."
    case .doesNotHold where hasNoGain: "The model did not get better."
    case .doesNotHold:
      "The gain on the search \(measure.subject) does not hold on \(measure.subject) that the search never saw."
    }
  }

  // MARK: Sentences

  var finding: String {
    let change = change
    switch outcome.verdict {
    case .control where outcome.kept.isEmpty: return "This is a control: with random directions nothing was kept."
    case .control:
      return
        "This is a control: with random directions \(isFiltered ? "filtered" : "dropped") instead, the held-out \(measure.subject) "
        + "changes by \(change). A search is worth what it gains beyond its control."
    case .nothingKept: return nothing
    case .holds: return "The gain holds on held-out \(measure.subject): \(change)."
    case .doesNotHold where isWorse: return "The model got worse on held-out \(measure.subject): \(change)."
    case .doesNotHold where hasNoGain: return "The model did not get better; on held-out \(measure.subject) \(change)."
    case .doesNotHold:
      return
        "The gain does not hold on held-out \(measure.subject): \(change). What improved the search \(measure.subject) did not improve the model."
    case .breaksGuard: return "On held-out \(measure.subject) the model changes by \(change)."
    case .withinTolerance:
      return "The loss stays within the tolerance on held-out \(measure.subject): \(change), \(allowed) allowed."
    case .beyondTolerance:
      return "The loss exceeds the tolerance on held-out \(measure.subject): \(change), \(allowed) allowed."
    }
  }

  /// "The guard text changes by +0.0031 nats per token (…): within the 0.0100 allowed."
  var guarded: String? {
    guard let guarded = outcome.guarded, let evidence = outcome.guardEvidence, !outcome.kept.isEmpty else { return nil }
    return "The guard text changes by \(Numbers.signed(guarded.delta.mean, 4)) nats per token "
      + "(\(Self.intervalText(guarded.interval)), paired by window): \(evidence.passes ? "within" : "beyond") the "
      + "\(Numbers.fixed(outcome.settings.allowedOnGuard, 4)) allowed."
  }

  private var nothing: String {
    let finding =
      isFiltered
      ? "no filter improved the windows that judge by more than their noise"
      : "none of \(SummaryText.trials(outcome)) lowered the \(measure.loss) of the search \(measure.subject) by more than its noise"
    if outcome.trialCount > 0 || isFiltered { return "Nothing holds: \(finding). The model is left as it is." }
    let strategy = outcome.settings.strategy
    let reason =
      [.noiseEdge, .denoise].contains(strategy)
      ? "\(strategy.name) found no matrix that it would change" : "nothing was tried"
    return "Nothing was reduced: \(reason). The model is left as it is."
  }

  /// The alternative that beats the result; nil where none does.
  var loss: String? {
    guard hasBetterAlternative, let (row, loss) = alternatives.better else { return nil }
    let isNoise = !(loss.mean > 2 * loss.standardError)
    return
      "A simpler change is better on held-out \(measure.subject): \(row.name), \(Alternatives.text(row.change)) \(measure.unit); "
      + (outcome.kept.isEmpty ? "leaving the model as it is" : "the result")
      + " is behind it by \(Numbers.fixed(loss.mean, 4)) ± \(Numbers.fixed(loss.standardError, 4))"
      + "\(isNoise ? ", which may be noise" : "")."
  }

  package var hasBetterAlternative: Bool { !outcome.settings.isControl && alternatives.better != nil }

  /// "48 % of the gain on the search text is left on held-out text."
  var survivors: String? {
    guard !outcome.settings.isControl, let share = outcome.survivingShare else { return nil }
    return share > 0
      ? "\(Numbers.percent(share, 0)) of the gain on the search \(measure.subject) is there on held-out \(measure.subject) too."
      : "Nothing of the gain on the search \(measure.subject) is there on held-out \(measure.subject)."
  }

  /// "Beyond one factor for each matrix, the choice of directions is worth −0.0150 ± 0.0012 nats per token." Nil where
  /// nothing was kept, or no alternative is behind.
  var worth: String? {
    guard !outcome.kept.isEmpty else { return nil }
    let gains = alternatives.behind
    guard let (first, gain) = gains.first else { return nil }
    let what =
      outcome.settings.filter == .scale
      ? "one factor for each matrix"
      : outcome.settings.isControl ? "the choice of random directions" : "the choice of directions"
    return "Beyond \(first.name), \(what) is worth \(Alternatives.text(gain)) \(measure.unit)"
      + gains.dropFirst().map { "; beyond \($0.name), \(Alternatives.text($1))" }.joined() + "."
  }

  /// Where the base is better on the text than what was made of its fine-tune.
  var base: String? {
    guard let row = alternatives.base, let delta = row.result, delta.mean > 0 else { return nil }
    return "The base itself is better on this \(measure.subject): \(measure.name) \(row.value), "
      + "\(outcome.kept.isEmpty ? "the model" : "the result") is behind it by \(Numbers.fixed(delta.mean, 4)) ± "
      + "\(Numbers.fixed(delta.standardError, 4)) \(measure.unit)."
  }

  // MARK: Inside

  /// "−0.0370 nats per token (95 % interval −0.0401 to −0.0339, paired by window)"
  var change: String {
    let interval = Self.intervalText(outcome.heldOut.interval)
    return "\(Numbers.signed(outcome.heldOut.delta.mean, 4)) \(measure.unit) (\(interval), paired by window)"
  }

  static func intervalText(_ interval: ClosedRange<Double>?) -> String {
    interval.map {
      "95\u{A0}% interval \(Numbers.signed($0.lowerBound, 4)) to \(Numbers.signed($0.upperBound, 4))"
    } ?? "error unknown"
  }

  private var allowed: String { Numbers.fixed(outcome.settings.objective.tolerance ?? 0, 4) }

  private var isUntried: Bool { outcome.trialCount == 0 && !isFiltered }

  /// Not even on the search text.
  private var hasNoGain: Bool { outcome.search.delta.mean >= 0 }

  private var isWorse: Bool { hasNoGain && (outcome.heldOut.interval?.lowerBound ?? 0) > 0 }
}
