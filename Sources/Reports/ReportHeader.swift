internal import Checkpoints
internal import Evaluation
internal import Glibc
internal import Inference
internal import Models
internal import Search

/// The top of the page: did the model get better, by how much, how sure is it.
struct ReportHeader {
  private let outcome: SearchOutcome
  private let filters: FilterText?
  private let verdict: VerdictText
  private let alternatives: Alternatives
  private let measure: Measure

  init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    measure = Measure(outcome.settings)
    filters = FilterText(outcome)
    verdict = VerdictText(outcome)
    alternatives = Alternatives(outcome)
  }

  var markup: Markup {
    let settings = outcome.settings
    var line: [Markup] = [element("b", [:], .text(fileName(settings.model))), ", lasered"]
    if settings.isControl {
      line = [line[0], ", a control: random directions \(filters == nil ? "dropped" : "filtered")"]
    }
    if let base = settings.base { line.append(.text(" relative to \(fileName(base))")) }
    return element(
      "header", [:], element("h1", [:], .fragment(line)), element("p", ["class": "verdict"], .text(verdict.headline)),
      element("p", ["class": "lede"], .text(lede)), element("div", ["class": "facts"], facts),
      element("p", ["class": "when"], .text(RunText.line(outcome))))
  }

  private var triedSites: Int { filters?.siteCount ?? Set(outcome.trials.map(\.site)).count }

  /// What was done, then the finding in numbers.
  private var lede: String {
    let change = "On held-out \(measure.subject) the change is \(verdict.change)."
    let done = filters.map { "\($0.filtered)." } ?? "\(reduced)."
    let finding: String? =
      switch outcome.verdict {
      case .control where outcome.kept.isEmpty, .nothingKept: verdict.finding
      case .control: "\(done) \(verdict.finding)"
      case .holds, .doesNotHold, .breaksGuard: "\(done) \(change)"
      case .withinTolerance, .beyondTolerance: "\(done) \(smaller) \(change)"
      }
    return [verdict.loss, finding, verdict.guarded, verdict.survivors, verdict.worth, verdict.base].compactMap(\.self)
      .joined(separator: " ")
  }

  /// What is added to a base is smaller where experts share that, which a report does not know.
  private var smaller: String {
    let sizes = outcome.sizes
    let saved = sizes.before > 0 ? 1 - Double(sizes.factored) / Double(sizes.before) : 0
    let size =
      outcome.settings.base == nil
      ? "Stored as two factors they would have \(Numbers.percent(saved, 0)) fewer numbers. " : ""
    return size + "Allowed are \(Numbers.signed(outcome.settings.objective.tolerance ?? 0, 4)) \(measure.unit)."
  }

  private var reduced: String {
    "\(matrices(outcome.kept.count)) of \(Numbers.grouped(triedSites)) \(outcome.kept.count == 1 ? "is" : "are") reduced in rank"
  }

  private var facts: [Markup] {
    var result = [score("held-out \(measure.subject)", outcome.heldOut)]
    if filters == nil || outcome.kept.isEmpty { result.append(score("search \(measure.subject)", outcome.search)) }
    if !outcome.kept.isEmpty {
      let delta = outcome.heldOut.delta
      let share = outcome.settings.isControl ? nil : outcome.survivingShare
      result.append(
        fact(
          [.text(Numbers.signed(delta.mean, 4))],
          "\(measure.unit) on held-out \(measure.subject), \(VerdictText.intervalText(outcome.heldOut.interval))"
            + (share.map { "; \(Numbers.percent(max(0, $0), 0)) of the gain on the search \(measure.subject)" } ?? "")))
    }
    if let (row, gain) = alternatives.behind.first, !outcome.kept.isEmpty {
      result.append(
        fact(
          [
            .text(Numbers.signed(gain.mean, 4)),
            element("i", [:], .text(" ± \(Numbers.fixed(gain.standardError, 4))")),
          ], "\(measure.unit) beyond \(row.name)"))
    }
    result.append(
      fact(
        [.text(Numbers.grouped(outcome.kept.count)), element("i", [:], .text(" of \(Numbers.grouped(triedSites))"))],
        "matrices \(filters == nil ? "reduced" : "filtered"), \(effort) \(Numbers.duration(outcome.seconds))"
          + (outcome.spentBudget ? ", the whole budget" : ""))
    )
    return result
  }

  private var effort: String {
    if filters != nil {
      let count = outcome.rungs.count
      return "\(Numbers.grouped(count)) \(count == 1 ? "model" : "models") measured in"
    }
    return switch outcome.trialCount {
    case 0: "without a trial, in"
    case 1: "in 1 trial and"
    case let count: "in \(Numbers.grouped(count)) trials and"
    }
  }

  private func score(_ name: String, _ comparison: SearchOutcome.Comparison) -> Markup {
    guard comparison.baseline.accuracy == nil else {
      let values = [comparison.baseline, comparison.result].map(Measure.value)
      let isWhole = comparison.baseline.accuracy?.count == comparison.baseline.windows.count
      return fact(
        [.text(values.joined(separator: " → "))], "\(isWhole ? "accuracy" : "mean −log p") of the \(name)")
    }
    let (before, after) = (comparison.baseline.perplexity, comparison.result.perplexity)
    // Of two perplexities beyond the range of doubles there is a ratio all the same.
    let ratio = exp(comparison.delta.mean)
    guard !outcome.kept.isEmpty else {
      return fact([.text(Numbers.fixed(before, 2))], "perplexity of the \(name), unchanged")
    }
    let style: Markup.Value = ratio < 1 ? "better" : ratio > 1 ? "worse" : ""
    return fact(
      [
        element("i", [:], .text("\(Numbers.fixed(before, 2)) → ")),
        element("span", ["class": style, "style": "display:inline;font:inherit"], .text(Numbers.fixed(after, 2))),
      ],
      "perplexity of the \(name), "
        + (ratio < 3 ? Numbers.signedPercent(ratio - 1, 1) : "\(Numbers.significant(ratio, 2)) times as high"))
  }

  private func fact(_ value: [Markup], _ what: String) -> Markup {
    element("div", ["class": "fact"], element("b", [:], value), element("span", [:], .text(what)))
  }
}
