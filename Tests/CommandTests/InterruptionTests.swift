import CheckpointFixtures
import Foundation
import Glibc
import Testing

/// Whatever stops a command, and whenever: the same command then ends as if nothing had happened.
struct InterruptionTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  private static let manyRanks = (1...15).reversed().map(String.init).joined(separator: ",")

  @Test func aKilledSearchEndsLikeAnUninterruptedOne() async throws {
    try await laserSucceeds(workshop.search(out: "whole", ranks: Self.manyRanks))
    let whole = try RunFiles(folder["whole"])
    #expect(whole.plan.contains("rank:"))
    var generator = SeededGenerator(seed: 20)
    var kills = 0
    var finished = 0
    // A search is killed until it has finished all the same, then the next is begun. A session must have the time to get
    // through what the journal has, so the limits grow until one finishes.
    var limit = 30.0
    while kills < 20 {
      let arguments = workshop.search(out: "run\(finished)", ranks: Self.manyRanks)
      let run = try await laser(
        arguments, killedAfter: .milliseconds(Int.random(in: 20...Int(limit), using: &generator)))
      limit *= 1.3
      if run.status == nil {
        kills += 1
      } else {
        #expect(run.status == 0, "\(run.error)")
        #expect(try RunFiles(folder["run\(finished)"]) == whole)
        finished += 1
        limit = 30
      }
    }
    try await laserSucceeds(workshop.search(out: "run\(finished)", ranks: Self.manyRanks))
    #expect(try RunFiles(folder["run\(finished)"]) == whole)
  }

  /// Whatever it is at. How long it takes is not measured here: the tests beside it take the processors.
  @Test(arguments: [0.3, 1, 2, 4], ["sweep", "filters"])
  func aSearchEndsWhenItIsAskedTo(after seconds: Double, strategy: String) async throws {
    let arguments = [
      "search", Posy.model, "--base", Posy.base, "--text", Posy.text("tales.search"), Posy.text("plays.search"),
      "--held-out", Posy.text("tales.heldout"), "--strategy", strategy, "--out", folder.path("run"), "--quiet",
    ]
    let run = try await laser(arguments, killedAfter: .seconds(seconds), by: SIGTERM)
    // Before the search begins there is nothing to say.
    if run.status != nil {
      #expect(
        run.status == 1 && run.error == "Error: interrupted; run the same command again to continue\n", "\(run.error)")
    }
  }

  @Test func aTornJournalGoesOnFromItsLastWholeLine() async throws {
    try await laserSucceeds(workshop.search(out: "whole"))
    let whole = try RunFiles(folder["whole"])
    let journal = try Data(contentsOf: folder["whole/journal.jsonl"])
    let ends = journal.indices.filter { journal[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    // In the first line, in the baseline, in two trials, before the result and within it; and nothing at all.
    for cut in [0, 5, ends[0] + 9, ends[4], ends[9] - 1, ends[ends.count - 2], journal.count - 1] {
      let run = folder["cut\(cut)"]
      try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
      try journal[..<cut].write(to: run.appending(path: "journal.jsonl"))
      try await laserSucceeds(workshop.search(out: "cut\(cut)"))
      #expect(try RunFiles(run) == whole, "cut at byte \(cut) of \(journal.count)")
    }
  }

  @Test func aDamagedLineIsNotSkipped() async throws {
    try await laserSucceeds(workshop.search(out: "run"))
    var journal = try Data(contentsOf: folder["run/journal.jsonl"])
    let middle = journal.count / 2
    journal.replaceSubrange(middle..<middle + 3, with: Data("\n\n\n".utf8))
    try journal.write(to: folder["run/journal.jsonl"])
    try await expectFailure(workshop.search(out: "run"), naming: ["journal.jsonl, line "])
    #expect(try Data(contentsOf: folder["run/journal.jsonl"]) == journal)
  }

  /// Nobody's results are mixed with those of another search, nor overwritten by them.
  @Test func anotherSearchInTheSameFolderIsRefused() async throws {
    try await laserSucceeds(workshop.search(out: "run"))
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "other")
    let before = try contents(of: folder["run"])
    let others: [(arguments: [String], words: String)] = [
      (workshop.search(out: "run", model: folder.path("other")), "another model"),
      (workshop.search(out: "run", text: [workshop.searchTexts[0]]), "another search text"),
      (workshop.search(out: "run", text: workshop.searchTexts.reversed()), "another search text"),
      (workshop.search(out: "run", more: ["--base", folder.path("other")]), "another base"),
      (workshop.search(out: "run", more: ["--exhaustive"]), "exhaustive false, not true"),
      (workshop.search(out: "run", more: ["--convention", "strided"]), "convention windows, not strided"),
    ]
    for other in others { try await expectFailure(other.arguments, naming: [folder.path("run"), other.words]) }
    // A text that was edited since.
    var edited = try Data(contentsOf: URL(filePath: workshop.searchTexts[1]))
    edited[edited.startIndex + 40] ^= 1
    try edited.write(to: URL(filePath: workshop.searchTexts[1]))
    try await expectFailure(workshop.search(out: "run"), naming: [folder.path("run"), "another search text"])
    #expect(try contents(of: folder["run"]) == before)
  }

  /// A copy is there as a whole or not at all.
  @Test func aKilledApplyLeavesNoHalfCheckpoint() async throws {
    let plan = try workshop.writePlan("plan.yaml", entries: [Workshop.entry(rank: 4)])
    func apply(_ out: String) -> [String] {
      ["apply", workshop.model, "--plan", plan, "--force", "--out", folder.path(out)]
    }
    try await laserSucceeds(apply("whole"))
    let whole = try contents(of: folder["whole"])
    var generator = SeededGenerator(seed: 21)
    for _ in 0..<12 {
      try? FileManager.default.removeItem(at: folder["out"])
      _ = try await laser(apply("out"), killedAfter: .milliseconds(Int.random(in: 5...120, using: &generator)))
      guard FileManager.default.fileExists(atPath: folder.path("out")) else { continue }
      #expect(try contents(of: folder["out"]) == whole)
    }
    try await laserSucceeds(apply("out"))
    #expect(try contents(of: folder["out"]) == whole)
  }
}
