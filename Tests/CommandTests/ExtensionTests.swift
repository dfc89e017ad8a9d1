import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// A search that goes on with other settings: what was measured is used again, and the result is that of a search which
/// had these settings from the beginning.
struct ExtensionTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws {
    workshop = try Workshop(TinyModel(seed: 1, vocabularySize: 2048))
  }

  private func json(_ path: String) throws -> JSON { try JSON(parsing: Array(Data(contentsOf: folder[path]))) }

  private func journal(_ path: String) throws -> [JSON] {
    try String(contentsOf: folder[path], encoding: .utf8).split(separator: "\n").map {
      try JSON(parsing: Array($0.utf8))
    }
  }

  /// Plan and scores, but not how long it took.
  private func result(_ run: String) throws -> [String?] {
    let report = try json("\(run)/report.json")
    return [
      try String(contentsOf: folder["\(run)/plan.yaml"], encoding: .utf8), report["search"]?.compact,
      report["held_out"]?.compact, report["summary"]?.string,
    ]
  }

  private func filters(_ out: String, _ more: [String] = []) -> [String] {
    ["search", workshop.model, "--text"] + workshop.searchTexts + ["--held-out"] + workshop.heldOutTexts
      + ["--context", "32", "--confidence", "0.5", "--out", folder.path(out)] + more
  }

  @Test func moreRanks() async throws {
    try await laserSucceeds(workshop.search(out: "run", ranks: "8,4"))
    let before = try journal("run/journal.jsonl").filter { $0["record"]?.string == "trial" }
    let run = try await laserSucceeds(workshop.search(out: "run", ranks: "8,4,2"))
    #expect(run.error.contains("extends the search in") && run.error.contains("ranks 8,4,2 instead of 8,4"))
    try await laserSucceeds(workshop.search(out: "fresh", ranks: "8,4,2"))
    #expect(try result("run") == result("fresh"))
    // Nothing is lost.
    #expect(try journal("run/journal-1.jsonl").filter { $0["record"]?.string == "trial" }.count == before.count)
    // The same again is a search that is finished.
    let again = try await laserSucceeds(workshop.search(out: "run", ranks: "8,4,2"))
    #expect(again.output == run.output && !again.error.contains("extends"))
    // Once more, and fewer.
    try await laserSucceeds(workshop.search(out: "run", ranks: "4"))
    try await laserSucceeds(workshop.search(out: "fewer", ranks: "4"))
    #expect(try result("run") == result("fewer"))
    #expect(FileManager.default.fileExists(atPath: folder.path("run/journal-2.jsonl")))
  }

  @Test(
    arguments: [
      (["--budget", "3"], []), (["--layers", "1"], ["--layers", "0-1"]), (["--roles", "w2"], ["--roles", "w2,w1"]),
      (["--strategy", "greedy", "--budget", "4"], ["--strategy", "greedy"]),
      (["--confidence", "0.9"], ["--confidence", "0.6"]),
    ])
  func moreOfASweep(_ before: [String], _ after: [String]) async throws {
    try await laserSucceeds(workshop.search(out: "run", ranks: "8,4", more: before))
    try await laserSucceeds(workshop.search(out: "run", ranks: "8,4", more: after))
    try await laserSucceeds(workshop.search(out: "fresh", ranks: "8,4", more: after))
    #expect(try result("run") == result("fresh"))
  }

  @Test(
    arguments: [
      (["--filter", "shrink"], ["--filter", "reweight"]), (["--damping", "64"], []),
      (["--layers", "1"], ["--layers", "0-1"]), ([], ["--rounds", "2"]), (["--rounds", "2"], ["--filter", "select"]),
      (["--budget", "2"], []),
    ])
  func moreOfFilters(_ before: [String], _ after: [String]) async throws {
    try await laserSucceeds(filters("run", before))
    let statistics = try Data(contentsOf: folder["run/directions.jsonl"])
    try await laserSucceeds(filters("run", after))
    // They are not made again.
    #expect(try Data(contentsOf: folder["run/directions.jsonl"]).starts(with: statistics))
    try await laserSucceeds(filters("fresh", after))
    #expect(try result("run") == result("fresh"))
  }

  /// Rungs are measured once.
  @Test func rungsAreUsedAgain() async throws {
    try await laserSucceeds(filters("run"))
    let before = try journal("run/journal.jsonl").filter { $0["record"]?.string == "rung" }
    #expect(!before.isEmpty)
    var heldOut = filters("run")
    heldOut.removeAll { $0 == workshop.heldOutTexts[1] }
    let run = try await laserSucceeds(heldOut)
    #expect(run.error.contains("held-out text"))
    let after = try journal("run/journal.jsonl").filter { $0["record"]?.string == "rung" }
    func scores(_ rungs: [JSON]) -> [String?] { rungs.map { $0["windows"]?.compact } }
    #expect(scores(before) == scores(after))
    #expect(try json("run/report.json")["held_out"]?["corpora"]?.array?.count == 1)
  }

  /// An extension that is cut short goes on with what both journals have.
  @Test func anExtensionContinues() async throws {
    try await laserSucceeds(workshop.search(out: "run", ranks: "8"))
    try await laserSucceeds(workshop.search(out: "run", ranks: "8,4"))
    // As if it had been killed after the first trials of the extension.
    let lines = try String(contentsOf: folder["run/journal.jsonl"], encoding: .utf8).split(separator: "\n")
    try Data((lines.prefix(4).joined(separator: "\n") + "\n").utf8).write(to: folder["run/journal.jsonl"])
    try await laserSucceeds(workshop.search(out: "run", ranks: "8,4"))
    try await laserSucceeds(workshop.search(out: "fresh", ranks: "8,4"))
    #expect(try result("run") == result("fresh"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run/journal-2.jsonl")))
  }

  /// What changes what was measured is refused, and nothing is touched.
  @Test(
    arguments: [
      (["--context", "16"], "context"), (["--strategy", "greedy"], "strategy"), (["--control"], "control"),
      (["--exhaustive"], "exhaustive"), (["--experts-per-token", "1"], "experts per token"),
    ])
  func otherMeasurementsAreRefused(_ more: [String], _ what: String) async throws {
    try await laserSucceeds(workshop.search(out: "run", ranks: "8"))
    let files = try RunFiles(folder["run"])
    try await expectFailure(workshop.search(out: "run", ranks: "8", more: more), naming: [what, "use another --out"])
    try await expectFailure(
      workshop.search(out: "run", text: [workshop.searchTexts[0]], ranks: "8"), naming: ["search text"])
    #expect(try RunFiles(folder["run"]) == files)
    #expect(!FileManager.default.fileExists(atPath: folder.path("run/journal-1.jsonl")))
  }
}
