internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
package import Search

/// report.html: what a search found, as one page that needs nothing else. Made from the journal alone, so that one
/// journal gives the same bytes always.
package enum HTMLReport {
  package static func text(_ outcome: SearchOutcome) -> String { page(outcome).document }

  private static func page(_ outcome: SearchOutcome) -> Markup {
    let name = fileName(outcome.settings.model)
    let filters = FilterSections(outcome)
    var parts = alternatives(outcome, isFiltered: filters != nil)
    parts.append(texts(outcome))
    parts += AnswerChanges(outcome).map { [$0.markup] } ?? []
    parts += filters?.findings ?? (map(outcome) + waterfall(outcome) + history(outcome) + curves(outcome))
    parts += spectra(outcome, showsPanels: filters == nil || outcome.kept.isEmpty)
    parts += routing(outcome)
    parts += filters?.plan ?? plan(outcome)
    parts.append(ReportSettings(outcome).markup)
    parts = [ReportHeader(outcome).markup, contents(parts)] + parts + [footer(outcome)]
    return htmlPage(title: "\(name), lasered", program: outcome.header.program, parts)
  }

  /// Links to the sections.
  private static func contents(_ sections: [Markup]) -> Markup {
    let links = sections.compactMap { part -> Markup? in
      guard case .element(_, _, let children) = part, case .element(_, _, let heading)? = children.first,
        case .text(let title)? = heading.first
      else { return nil }
      return element("a", ["href": "#\(anchor(title))"], .text(title))
    }
    return element("nav", ["aria-label": "Contents"], links)
  }

  /// The result beside what needs no search of its own.
  private static func alternatives(_ outcome: SearchOutcome, isFiltered: Bool) -> [Markup] {
    let alternatives = Alternatives(outcome)
    guard !alternatives.isEmpty else { return [] }
    let isBaseAlone = !alternatives.rows.contains { $0.result != nil && !$0.isBase }
    let what =
      isBaseAlone
      ? "The base, as it was before it was tuned, on the same held-out text."
      : "The same matrices changed without a choice of directions"
        + (alternatives.base == nil ? "" : ", and the base as it was before it was tuned")
        + ", measured on the same held-out text."
    return [
      section(
        isBaseAlone ? "Beside the base" : "Beside simpler changes",
        note: what
          + " Bars are the change from the original model, lines their 95\u{A0}% interval; further left is better. "
          + "“Result against it” is paired by window, ± one standard error: below zero, the result is better.",
        [AlternativesChart(alternatives).markup])
    ]
  }

  private static func texts(_ outcome: SearchOutcome) -> Markup {
    let questions = outcome.settings.questions.isEmpty ? "" : " Of questions, the accuracy is shown instead."
    return section(
      outcome.settings.text.isEmpty ? "Accuracy by file" : "Perplexity by text",
      note:
        "Perplexity (\(SummaryText.conventionText(outcome.settings)); other conventions do not compare).\(questions) The "
        + "change is that of the mean negative log-likelihood, paired by window, ± one standard error; the line is its "
        + "95\u{A0}% interval. Left of zero the lasered model is better; grey is no change that can be told from none.",
      [TextsChart(outcome).markup])
  }

  private static func map(_ outcome: SearchOutcome) -> [Markup] {
    let map = SiteMap(outcome)
    guard !map.isEmpty else { return [] }
    guard outcome.trialCount > 0 else {
      return [
        section(
          "What was reduced",
          note:
            "A row is a layer, the last one on top; the number is the remaining rank. Nothing was measured by itself.",
          [map.markup])
      ]
    }
    return [
      section(
        "Where the gains are",
        note:
          "Every matrix that was tried: a row is a layer, the last one on top. Blue means that the best rank found lowers the "
          + "search text's negative log-likelihood, orange that even the best one raises it. A filled cell was kept; its "
          + "number is the remaining rank.",
        [map.markup])
    ]
  }

  private static func waterfall(_ outcome: SearchOutcome) -> [Markup] {
    let waterfall = Waterfall(outcome)
    guard !waterfall.isEmpty else { return [] }
    return [
      section(
        "How they add up",
        note:
          "The accepted steps in order, each measured against the model with all before it, and what they come to when the "
          + "finished model is evaluated. y axis: \(Measure(outcome.settings).unit); down is better. "
          + SummaryText.falsePositives(outcome),
        [waterfall.markup])
    ]
  }

  private static func history(_ outcome: SearchOutcome) -> [Markup] {
    let (history, measure) = (TrialHistory(outcome), Measure(outcome.settings))
    guard !history.isEmpty else { return [] }
    return [
      section(
        "Trial history",
        note:
          "The change of each trial on the search \(measure.subject), in \(measure.unit), against the model as it then was; the line is "
          + "the total of what was accepted. Trials that lie far above are drawn at the upper edge.",
        [history.markup, TrialTable.trials(outcome)])
    ]
  }

  private static func curves(_ outcome: SearchOutcome) -> [Markup] {
    let curves = RankCurves(outcome)
    return curves.isEmpty ? [] : [curves.markup]
  }

  private static func plan(_ outcome: SearchOutcome) -> [Markup] {
    guard !outcome.kept.isEmpty else { return [] }
    let plan = RankPlan(outcome)
    return [section("The plan", note: plan.note, [plan.markup])]
  }

  /// Kept sites with the largest gains first, then the others in the order of the search.
  ///
  /// - Parameter showsPanels: Whether each site's singular values are shown.
  private static func spectra(_ outcome: SearchOutcome, showsPanels: Bool) -> [Markup] {
    let ranks = Dictionary(outcome.kept.map { ($0.site, $0.rank) }) { _, last in last }
    let gains = Dictionary(outcome.sites.map { ($0.site, $0.best?.delta ?? 0) }) { first, _ in first }
    var seen: Set<Site> = []
    let entries = outcome.spectra.compactMap { record -> PlottedSpectrum? in
      guard let spectrum = record.spectrum, seen.insert(record.site).inserted else { return nil }
      return PlottedSpectrum(site: record.site, spectrum: spectrum, rank: ranks[record.site])
    }
    func key(_ entry: PlottedSpectrum) -> Double {
      entry.rank == nil ? .infinity : gains[entry.site] ?? 0
    }
    let ordered = entries.enumerated().sorted { a, b in
      let (x, y) = (key(a.element), key(b.element))
      return x == y ? a.offset < b.offset : x < y
    }
    let plots = SpectrumPlots(ordered.map(\.element))
    guard !plots.isEmpty else { return [] }
    let what = outcome.settings.base == nil ? "of the matrices" : "of the differences to the base"
    var parts: [Markup] = []
    if showsPanels {
      parts.append(
        section(
          "Singular values",
          note:
            "Singular values \(what), from the largest to the smallest, on a logarithmic scale that is the same in every panel "
            + "(\(plots.span)). The dashed line is the edge of noise by Marchenko and Pastur; what is shaded is kept.",
          plots.panels))
    }
    if !plots.lines.isEmpty {
      parts.append(
        section(
          "Effective rank by layer",
          note:
            "exp of the entropy of the singular values' shares (Roy and Vetterli, 2007), in % of the full rank: the mean over "
            + "experts, and their range. Low where a few directions carry the matrix.",
          [plots.lines.markup]))
    }
    let tuning = TuningRanks(outcome.spectra).lines
    if !tuning.isEmpty {
      parts.append(
        section(
          "Rank of the tuning",
          note: "How many singular values of the differences to the base stand above the rounding of the stored types.",
          tuning.map { element("p", ["class": "left-out"], .text($0)) }))
    }
    return parts
  }

  private static func routing(_ outcome: SearchOutcome) -> [Markup] {
    let map = RoutingMap(zip(TextNames(outcome).heldOut, outcome.routing).map { ($0, $1.statistics) })
    return map.isEmpty ? [] : [map.markup]
  }

  private static func footer(_ outcome: SearchOutcome) -> Markup {
    element(
      "footer", [:], .text("Written by \(outcome.header.program). LASER: Sharma, Ash and Misra, "),
      element("a", ["href": "https://arxiv.org/abs/2312.13558"], "arXiv 2312.13558"), ".")
  }
}
