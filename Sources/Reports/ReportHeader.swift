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

  init(_ outcome: SearchOutcome) {
    self.outcome = outcome
    filters = FilterText(outcome)
  }

  var markup: Markup {
    let settings = outcome.settings
    var line: [Markup] = [element("b", [:], .text(fileName(settings.model))), ", lasered"]
    if settings.isControl {
      line = [line[0], ", a control: random directions \(filters == nil ? "dropped" : "filtered")"]
    }
    if let base = settings.base { line.append(.text(" relative to \(fileName(base))")) }
    return element(
      "header", [:], element("h1", [:], .fragment(line)), element("p", ["class": "verdict"], .text(verdict)),
      element("p", ["class": "lede"], .text(lede)), element("div", ["class": "facts"], facts))
  }

  private var triedSites: Int { filters?.siteCount ?? Set(outcome.trials.map(\.site)).count }

  private var verdict: String {
    if let (row, _) = filters?.alternatives.better { return "A simpler change is better: \(row.name)." }
    return switch outcome.verdict {
    case .nothingKept: "No \(filters == nil ? "reduction" : "filter") helped, and the model is left as it is."
    case .holds: "The model got better, and the gain holds on text that the search never saw."
    case .withinTolerance: "The model got smaller, and its loss stays within the tolerance on held-out text."
    case .beyondTolerance: "The model got smaller, but on held-out text its loss exceeds the tolerance."
    case .doesNotHold where outcome.search.delta.mean >= 0: "The model got worse."
    case .doesNotHold: "The gain on the search text does not hold on text that the search never saw."
    }
  }

  private var lede: String {
    if let filters { return filterLede(filters) }
    switch outcome.verdict {
    case .nothingKept:
      return outcome.trials.isEmpty
        ? "Nothing was tried."
        : "None of \(SummaryText.trials(outcome)) on \(matrices(triedSites)) lowered the perplexity of the search text by more than its noise."
    case .holds:
      return "\(reduced). On held-out text the change is \(ratio) times its standard error."
    case .doesNotHold where outcome.search.delta.mean >= 0:
      return "\(reduced). Neither the search text nor the held-out text is predicted better."
    case .doesNotHold:
      return
        "\(reduced), but on held-out text the change is not below zero by more than its noise. What improved the search "
        + "text did not improve the model."
    case .withinTolerance, .beyondTolerance:
      let sizes = outcome.sizes
      let saved = sizes.before > 0 ? 1 - Double(sizes.factored) / Double(sizes.before) : 0
      return "\(reduced). Kept as two factors they would have \(Numbers.percent(saved, 0)) fewer numbers. Allowed are "
        + "\(Numbers.signed(outcome.settings.objective.tolerance ?? 0, 4)) nats per token."
    }
  }

  private func filterLede(_ filters: FilterText) -> String {
    let finding: String? =
      switch outcome.verdict {
      case .nothingKept:
        "No filter lowered the perplexity of the windows that judge by more than its noise: \(filters.effort)."
      case .holds, .withinTolerance:
        "\(filters.filtered). On held-out text the change is \(ratio) times its standard error."
      case .doesNotHold, .beyondTolerance:
        "\(filters.filtered), but on held-out text the change is not below zero by more than its noise."
      }
    return [filters.loss, finding, filters.worth].compactMap(\.self).joined(separator: " ")
  }

  private var reduced: String {
    "\(matrices(outcome.kept.count)) of \(Numbers.grouped(triedSites)) \(outcome.kept.count == 1 ? "is" : "are") reduced in rank"
  }

  private var ratio: String {
    let delta = outcome.heldOut.delta
    guard delta.standardError.isFinite, delta.standardError > 0 else { return "many" }
    return Numbers.fixed(abs(delta.mean) / delta.standardError, 1)
  }

  private var facts: [Markup] {
    var result = [perplexity("held-out text", outcome.heldOut)]
    if filters == nil || outcome.kept.isEmpty { result.append(perplexity("search text", outcome.search)) }
    if !outcome.kept.isEmpty {
      let delta = outcome.heldOut.delta
      result.append(
        fact(
          [
            .text(Numbers.signed(delta.mean, 4)),
            element("i", [:], .text(" ± \(Numbers.fixed(delta.standardError, 4))")),
          ], "nats per token on held-out text, paired by window, ± one standard error"))
    }
    if let (row, gain) = filters?.alternatives.nearest, !outcome.kept.isEmpty {
      result.append(
        fact(
          [
            .text(Numbers.signed(gain.mean, 4)),
            element("i", [:], .text(" ± \(Numbers.fixed(gain.standardError, 4))")),
          ], "nats per token beyond \(row.name)"))
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

  private func perplexity(_ name: String, _ comparison: SearchOutcome.Comparison) -> Markup {
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
