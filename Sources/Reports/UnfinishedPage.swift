internal import Checkpoints
internal import Evaluation
internal import Models
internal import RankReduction
package import Search

/// report.html of a search that has not ended: what is known so far, and that it is no result yet.
package struct UnfinishedPage {
  private let status: RunStatus
  private let text: StatusText
  private let measure: Measure
  private let isWatched: Bool

  /// - Parameters:
  ///   - now: In seconds since 1970.
  ///   - isWatched: Whether the page is written again and again, and is to be read again by who looks at it.
  package init(_ status: RunStatus, now: Double, isWatched: Bool) {
    self.status = status
    text = StatusText(status, now: now)
    measure = Measure(status.header.settings)
    self.isWatched = isWatched
  }

  package func write(in folder: String) throws { try AtomicFile.write(document, to: folder + "/report.html") }

  package var document: String {
    let name = fileName(status.header.settings.model)
    let reload: [Markup] = isWatched ? [element("meta", ["http-equiv": "refresh", "content": "5"])] : []
    return htmlPage(
      title: "\(name), unfinished", program: status.header.program, head: reload,
      [header(name), rungs, plan, settings].compactMap(\.self)
    ).document
  }

  private func header(_ name: String) -> Markup {
    element(
      "header", [:], element("h1", [:], element("b", [:], .text(name)), ", lasered: unfinished"),
      element("p", ["class": "verdict"], .text("This search is not finished.")),
      element(
        "p", ["class": "lede"],
        .text(
          "\(text.headline). What it has found so far is not confirmed on held-out \(measure.subject), and may not hold."
        )),
      element(
        "div", ["class": "facts"],
        [
          status.original.map {
            fact(Measure.value($0), "\(measure.name) of the search \(measure.subject), original model")
          },
          fact("\(Numbers.grouped(status.kept.matrixCount))", "matrices kept so far, \(text.effort)"),
          status.kept.delta.map {
            fact(Numbers.signed($0, 4), "\(measure.unit) of the search \(measure.subject), kept so far")
          },
          fact(Numbers.duration(status.seconds), "of work so far"),
        ].compactMap(\.self)))
  }

  private func fact(_ value: String, _ what: String) -> Markup {
    element("div", ["class": "fact"], element("b", [:], .text(value)), element("span", [:], .text(what)))
  }

  private var rungs: Markup? {
    guard !status.rungs.isEmpty else { return nil }
    let rows = status.rungs.map { rung in
      [
        rung.group + (rung.isAlternative ? ", one factor for each matrix" : ""), Numbers.plain(rung.damping),
        "\(Numbers.signed(rung.delta, 5)) ± \(Numbers.fixed(rung.standardError, 5))", rung.passes ? "yes" : "no",
      ]
    }
    return section(
      "Dampings measured so far",
      note: "Filters made from one half of the search \(measure.subject), measured on the other.",
      [dataTable(["matrices", "k", "change, \(measure.unit)", "passes its test"], rows)])
  }

  private var plan: Markup? {
    let kept = status.keptTrials
    guard !kept.isEmpty else { return nil }
    let rows = kept.reversed().map { trial in
      [
        "\(trial.site)", "\(trial.rank) of \(trial.fullRank)",
        trial.evidence == .measured ? Numbers.signed(trial.delta, 5) : "not measured",
      ]
    }
    return section(
      "Kept so far", note: "The last one first. Later trials may keep another rank in its place.",
      [dataTable(["matrix", "rank", "change, \(measure.unit)"], rows)])
  }

  private var settings: Markup {
    let entries = SettingsList.entries(status.header.settings).flatMap { name, value in
      [element("dt", [:], .text(name)), element("dd", [:], .text(value))]
    }
    return section(
      "Settings", note: "Written by \(status.header.program).", [element("dl", [:], entries)])
  }
}
