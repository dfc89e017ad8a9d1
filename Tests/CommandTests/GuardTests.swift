import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// Texts that may not get worse.
struct GuardTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws {
    workshop = try Workshop()
    let text = try String(contentsOfFile: Posy.text("essays.search"), encoding: .utf8)
    try Data(text.prefix(3000).utf8).write(to: folder["guard.txt"])
  }

  private func report(_ run: String) throws -> JSON {
    try JSON(parsing: Array(Data(contentsOf: folder["\(run)/report.json"])))
  }

  private func trials(_ run: String) throws -> [JSON] {
    try String(contentsOf: folder["\(run)/journal.jsonl"], encoding: .utf8).split(separator: "\n")
      .map { try JSON(parsing: Array($0.utf8)) }.filter { ["trial", "rung"].contains($0["record"]?.string) }
  }

  private func guarded(_ limit: String, _ more: [String] = []) -> [String] {
    ["--guard", folder.path("guard.txt"), "--guard-limit", limit] + more
  }

  /// A limit that nothing exceeds changes no decision; one that everything does leaves nothing.
  @Test func theLimitDecides() async throws {
    try await laserSucceeds(workshop.search(out: "free", ranks: "8,4"))
    try await laserSucceeds(workshop.search(out: "wide", ranks: "8,4", more: guarded("1000")))
    let (free, wide) = (try report("free"), try report("wide"))
    #expect(free["plan"]?.array?.isEmpty == false)
    #expect(free["plan"]?.compact == wide["plan"]?.compact)
    #expect(free["guarded"] == nil)
    let kept = try trials("wide").filter { $0["kept"]?.boolean == true }
    #expect(!kept.isEmpty && kept.allSatisfy { $0["guarded"]?["passes"]?.boolean == true })

    let narrow = try await laserSucceeds(
      workshop.search(out: "narrow", ranks: "8,4", more: guarded("0", ["--confidence", "0.9999"])))
    #expect(narrow.output.contains("Nothing holds"))
    #expect(try report("narrow")["plan"]?.array?.isEmpty == true)
  }

  /// The report's numbers are what `laser perplexity` says of both checkpoints.
  @Test func theReportSaysWhatItCosts() async throws {
    let run = try await laserSucceeds(workshop.search(out: "run", ranks: "8,4", more: guarded("1000")))
    #expect(run.output.contains("The guard text changes by") && run.output.contains("guard.txt, guard"))
    try await laserSucceeds([
      "apply", workshop.model, "--plan", folder.path("run/plan.yaml"), "--out", folder.path("lasered"),
    ])
    let found = try #require(try report("run")["guarded"]?["corpora"]?.array?.first)
    for (model, which) in [("model", "baseline"), ("lasered", "result")] {
      let row = try await laserSucceeds(workshop.perplexity(model, [folder.path("guard.txt")])).json["corpora"]?.array
      #expect(row?.first?["nll"]?.number == found[which]?["nll"]?.number)
    }
    let page = try String(contentsOf: folder["run/report.html"], encoding: .utf8)
    #expect(page.contains("The guard text changes by"))
    // A search that is read again is the same.
    #expect(
      try await laserSucceeds(workshop.search(out: "run", ranks: "8,4", more: guarded("1000"))).output == run.output)
    try await expectFailure(workshop.search(out: "run", ranks: "8,4"), naming: ["guard"])
  }

  /// Filters are held to it rung by rung.
  @Test func filtersHeedIt() async throws {
    func search(_ out: String, _ more: [String]) -> [String] {
      ["search", workshop.model, "--text"] + workshop.searchTexts
        + ["--context", "32", "--confidence", "0.5", "--out", folder.path(out)] + more
    }
    try await laserSucceeds(search("free", []))
    try await laserSucceeds(search("wide", guarded("1000")))
    #expect(try report("free")["plan"]?.compact == report("wide")["plan"]?.compact)
    try await laserSucceeds(search("narrow", guarded("0", ["--guard-limit", "0"])))
    for rung in try trials("narrow") where rung["passes"]?.boolean == true && rung["isAlternative"]?.boolean == false {
      #expect(try #require(rung["guarded"]?["delta"]?.number) <= 0)
    }
  }

  @Test func settingsThatContradictAreRefused() async throws {
    for more in [
      ["--guard-limit", "0.1"], guarded("-1"), guarded("0.1", ["--strategy", "noise-edge", "--ranks", "noise-edge"]),
    ] {
      let status = try await laser(
        ["search", workshop.model, "--text"] + workshop.searchTexts + ["--out", folder.path("run")] + more
      ).status
      #expect(status == 64, "\(more)")
    }
    try await expectFailure(
      workshop.search(out: "run", more: ["--guard", workshop.heldOutTexts[0]]), naming: ["given twice"])
  }
}
