import Foundation
import RankReduction
import Reports
import Search
import Testing

struct FilterReportTests {
  @Test func theVerdictSaysWhatDirectionsAreWorth() throws {
    let outcome = try SampleOutcome.filters().outcome
    let verdict = VerdictText(outcome).sentences.joined(separator: " ")
    #expect(verdict.hasPrefix("The gain holds on held-out text: −0.02"))
    #expect(verdict.contains("Beyond one factor for each matrix, the choice of directions is worth −0.0080 ± 0.000"))
    #expect(verdict.contains("; beyond the base's own matrices, −0.015"))
    #expect(!verdict.contains("simpler"))
    #expect(VerdictText(outcome).short == "holds")
  }

  @Test func aBetterAlternativeComesFirst() throws {
    let outcome = try SampleOutcome.filters { $0.alternativeGains[0].gain = 0.03 }.outcome
    let start = "A simpler change is better on held-out text: the base's own matrices, −0.03"
    #expect(VerdictText(outcome).sentences.joined(separator: " ").hasPrefix(start))
    #expect(VerdictText(outcome).sentences.joined(separator: " ").contains("the result is behind it by 0.010"))
    #expect(VerdictText(outcome).sentences.joined(separator: " ").contains("Beyond one factor for each matrix"))
    #expect(MarkdownReport.text(outcome).contains("# Lasered: model\n\n\(start)"))
    #expect(HTMLReport.text(outcome).contains(">A simpler change is better: the base's own matrices.<"))
    #expect(VerdictText(outcome).short == "a simpler change is better")
    #expect(VerdictText(outcome).hasBetterAlternative)
  }

  @Test func tablesSayWhatWasDone() throws {
    let outcome = try SampleOutcome.filters().outcome
    let text = try #require(FilterText(outcome))
    #expect(text.filtered == "15 of 15 matrices filtered: shrink, k = 8 for attention, 32 for feed-forward")
    #expect(text.effort == "14 models measured, k chosen on windows that did not make the filters")
    let table = try #require(SummaryText.alternatives(outcome))
    #expect(
      table.rows.map { $0[0] } == ["result: shrink"] + ["the base's own matrices", "one factor for each matrix"])
    #expect(table.rows[0][3] == "–" && table.rows[2][3].hasPrefix("−0.0080 ± "))
    #expect(table.plain.split(separator: "\n").allSatisfy { terminalWidth($0) <= Table.terminalColumns })
    let report = MarkdownReport.text(outcome)
    for words in [
      "| layer | expert | role | filter | k | remaining rank | of | Σσ² removed | predicted share of the change |",
      "| 2 | – | q\\_proj | shrink | 8 | 32 | 64 | 37.5\u{A0}% | 2.8\u{A0}% |",
      "| feed-forward | 12 | 32 | −0.0094 ± 0.0005 | chosen |", "| effort | 14 models measured",
    ] {
      #expect(report.contains(words), "\(words)\n\(report)")
    }
    for words in ["± 0.00000", "truncated", "reduced in rank", "false positives", "| trials |"] {
      #expect(!report.contains(words) && !HTMLReport.text(outcome).contains(words), "\(words)")
    }
  }

  /// Singular values of 3 / (1 + 0.1 (i + j)), j from 0 to 4: those above 1 are the first 16 to 20.
  @Test func theRankOfATuningIsSaid() throws {
    let outcome = try SampleOutcome.filters { $0.roundingEdge = 1 }.outcome
    let line = "The tuning of expert 1 has rank 16 to 20 of 64; beyond it is rounding."
    #expect(MarkdownReport.text(outcome).contains(line) && HTMLReport.text(outcome).contains(line))
    #expect(MarkdownReport.text(outcome).contains("The tuning of the other matrices has rank"))
    for edge in [nil, 0.01] {
      let outcome = try SampleOutcome.filters { $0.roundingEdge = edge }.outcome
      #expect(!MarkdownReport.text(outcome).contains("tuning of") && !HTMLReport.text(outcome).contains("tuning of"))
    }
  }

  @Test func thePageShowsThem() throws {
    let page = HTMLReport.text(try SampleOutcome.filters().outcome)
    for words in [
      "Beside simpler changes", "How much is taken away", "How k was chosen", "The filters", "k = 32", "k = 8",
      "layer 2 expert 0 w1: 37.5\u{A0}% of Σσ² taken away, rank 32 of 64 left", "14 models measured in",
      "feed-forward, one factor for each matrix, for comparison",
    ] {
      #expect(page.contains(words), "\(words)")
    }
    for words in ["Where the gains are", "How they add up", "Change against kept fraction", "Singular values<"] {
      #expect(!page.contains(words), "\(words)")
    }
  }

  @Test func partsOfAGroupAreNoStepsOfItsLadder() throws {
    let text = MarkdownReport.text(try SampleOutcome.filters { $0.partSizes = [6, 3] }.outcome)
    #expect(text.contains("No k passes for feed-forward as a whole; of 2 parts measured at k = 64, 1 passes."))
    #expect(text.contains("| feed-forward | 3 | 64 | −0.0050 ± 0.0005 | chosen |"))
  }

  @Test func whereNothingHoldsTheAlternativesAreShownAll() throws {
    let outcome = try SampleOutcome.filters {
      $0.keepsEvery = 0
      $0.alternativeGains = [("one factor for each matrix", 0)]
    }.outcome
    #expect(
      VerdictText(outcome).sentences.joined(separator: " ").hasPrefix(
        "Nothing holds: no filter improved the windows that judge"))
    let (report, page) = (MarkdownReport.text(outcome), HTMLReport.text(outcome))
    for text in [report, page] {
      #expect(text.contains("one factor for each matrix") && text.contains("result: nothing filtered"))
      #expect(!text.contains("Plan |") && !text.lowercased().contains("nan"))
    }
    #expect(page.contains("No filter helped, and the model is left as it is."))
  }

  @Test func aControlIsNamedOne() throws {
    let outcome = try SampleOutcome.filters { $0.isControl = true }.outcome
    #expect(
      VerdictText(outcome).sentences.joined(separator: " ").hasPrefix(
        "This is a control: with random directions filtered"))
    #expect(VerdictText(outcome).short == "a control" && !outcome.isSuccess && outcome.verdict == .control)
    #expect(MarkdownReport.text(outcome).hasPrefix("# A control, random directions: model"))
    let page = HTMLReport.text(outcome)
    #expect(page.contains("a control: random directions filtered") && page.contains("A control leaves no plan."))
    #expect(page.contains("result: random, shrink") && !page.contains("laser apply"))
    for text in [page, MarkdownReport.text(outcome), VerdictText(outcome).sentences.joined()] {
      #expect(
        !text.contains("gain holds") && !text.contains("got better") && !text.contains("simpler change is better"))
    }
    // Nor of a search of ranks.
    var ranks = SampleOutcome()
    ranks.isControl = true
    let dropped = try ranks.outcome
    #expect(VerdictText(dropped).sentences.joined().hasPrefix("This is a control: with random directions dropped"))
    #expect(MarkdownReport.text(dropped).hasPrefix("# A control, random directions: model"))
    #expect(!HTMLReport.text(dropped).contains("gain holds") && !HTMLReport.text(dropped).contains("laser apply"))
  }

  @Test func theBaseHasARowOfItsOwn() throws {
    let outcome = try SampleOutcome.filters { $0.baseGain = -0.1 }.outcome
    let table = try #require(SummaryText.alternatives(outcome))
    #expect(table.rows.last?[0] == "the base itself" && table.rows.last?[2].hasPrefix("+0.10") == true)
    #expect(HTMLReport.text(outcome).contains("the base itself"))
    // Being better than the result, it is named, and the verdict stays one of the model.
    let better = try SampleOutcome.filters { $0.baseGain = 0.1 }.outcome
    #expect(VerdictText(better).sentences.last?.hasPrefix("The base itself is better on this text: perplexity") == true)
    #expect(VerdictText(better).short == "holds")
    var ranks = SampleOutcome()
    ranks.baseGain = -0.1
    #expect(try HTMLReport.text(ranks.outcome).contains(">Beside the base<"))
  }

  @Test(arguments: FilterKind.allCases) func everyKindHasItsPage(_ kind: FilterKind) throws {
    let outcome = try SampleOutcome.filters(kind).outcome
    #expect(MarkdownReport.text(outcome).contains(kind == .scale ? "| scale 0.625 |" : "| \(kind.rawValue) |"))
    let page = HTMLReport.text(outcome)
    // One factor for all directions makes no picture.
    #expect(page.contains("The filters<") == (kind != .scale))
    #expect(page.contains("added") == (kind == .reweight))
  }

  /// Factors that a damaged file has for too few directions are not drawn.
  @Test func factorsThatDoNotFitAreLeftOut() throws {
    let page = HTMLReport.text(try SampleOutcome.filters { $0.factorCount = 3 }.outcome)
    #expect(!page.contains("The filters<") && page.contains("How much is taken away"))
  }

  @Test func programsReadIt() throws {
    let text = try jsonText(JSONReport(SampleOutcome.filters().outcome))
    let report = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(
      report["measured"] as? Int == 14 && report["verdict"] as? String == "holds" && report["control"] as? Bool == false
    )
    let rungs = try #require(report["rungs"] as? [[String: Any]])
    #expect(rungs.count == 14 && rungs[0]["damping"] as? Double == 64 && rungs[0]["passes"] as? Bool == true)
    let alternatives = try #require(report["alternatives"] as? [[String: Any]])
    #expect(alternatives.map { $0["name"] as? String } == ["the base's own matrices", "one factor for each matrix"])
    #expect(try #require(alternatives[1]["result_delta"] as? Double) < 0)
    let plan = try #require(report["plan"] as? [[String: Any]])
    #expect(plan[0]["filter"] as? String == "shrink" && plan[0]["removed"] as? Double == 0.375)
    #expect(plan[0]["delta"] is NSNull, "none was measured by itself")
    let shares = plan.compactMap { $0["predicted_share"] as? Double }
    #expect(shares.count == 15 && abs(shares.reduce(0, +) - 1) < 1e-12)
    // Reports of ranks have trials instead.
    var sample = SampleOutcome()
    sample.hasSpectra = false
    let ranks = try #require(
      JSONSerialization.jsonObject(with: Data(jsonText(JSONReport(sample.outcome)).utf8)) as? [String: Any])
    #expect((ranks["rungs"] as? [Any])?.isEmpty == true && (ranks["trials"] as? [Any])?.count == 24)
    #expect(ranks["strategy"] as? String == "sweep" && ranks["program"] as? String == "laser 0.0.0")
    #expect((ranks["settings"] as? [String: Any])?["context"] as? String == "256")
    #expect((ranks["fingerprints"] as? [String: Any])?["model"] as? String == "00000000000000aa")
  }
}
