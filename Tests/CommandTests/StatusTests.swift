import CheckpointFixtures
import Checkpoints
import Foundation
import Glibc
import Testing

/// What is known of a search before it has ended.
struct StatusTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }
  private var run: String { folder.path("run") }

  init() throws { workshop = try Workshop() }

  /// A journal without its last line, and the journal.
  private func cutJournal(_ arguments: [String], lines: Int = 1) async throws -> Data {
    try await laserSucceeds(arguments)
    let journal = try Data(contentsOf: folder["run/journal.jsonl"])
    let ends = journal.indices.filter { journal[$0] == UInt8(ascii: "\n") }
    try journal[...ends[ends.count - 1 - lines]].write(to: folder["run/journal.jsonl"])
    for name in ["report.html", "report.md", "report.json"] {
      try FileManager.default.removeItem(at: folder["run/\(name)"])
    }
    return journal
  }

  @Test func anInterruptedSearch() async throws {
    let search = workshop.search(out: "run")
    let journal = try await cutJournal(search)
    let trials = String(decoding: journal, as: UTF8.self).split(separator: "\n").filter {
      $0.contains(#""record":"trial""#)
    }
    let before = try contents(of: folder["run"])
    let found = try await laserSucceeds(["status", run, "--json"]).json
    #expect(found["state"]?.string == "interrupted" && found["phase"]?.string == "trials")
    #expect(found["trials"]?.integer == trials.count && found["strategy"]?.string == "sweep")
    let kept = trials.filter { $0.contains(#""kept":true"#) }.count
    #expect(kept > 0 && found["kept"]?["steps"]?.integer == kept)
    #expect(found["kept"]?["matrices"]?.integer ?? 0 <= kept && found["kept"]?["delta"]?.number ?? 0 < 0)
    #expect(found["original"]?["perplexity"]?.number ?? 0 > 1)
    let text = try await laserSucceeds(["status", run]).output
    for words in ["Interrupted", "the same command continues it", "\(trials.count) trials", "perplexity", "held-out"] {
      #expect(text.contains(words), "\(words)\n\(text)")
    }
    #expect(try contents(of: folder["run"]) == before)
    // The page says that it is none of a result.
    let report = try await laserSucceeds(["report", run])
    #expect(report.output.contains("report.html, unfinished"))
    let page = try String(contentsOf: folder["run/report.html"], encoding: .utf8)
    for words in ["This search is not finished.", "Kept so far", "\(trials.count) trials", "strategy"] {
      #expect(page.contains(words), "\(words)")
    }
    #expect(!page.contains("http-equiv"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run/report.json")))
    // It does not stand in the way of the search.
    try await laserSucceeds(search)
    #expect(try Data(contentsOf: folder["run/report.html"]) != Data(page.utf8))
    let finished = try await laserSucceeds(["status", run, "--json"]).json
    #expect(finished["state"]?.string == "finished" && finished["phase"]?.string == "finished")
  }

  @Test func aSearchForADamping() async throws {
    let search = [
      "search", workshop.model, "--text", workshop.searchTexts[0], "--context", "32", "--out", run, "--confidence",
      "0.5",
    ]
    let journal = try await cutJournal(search)
    let rungs = String(decoding: journal, as: UTF8.self).components(separatedBy: #""record":"rung""#).count - 1
    let found = try await laserSucceeds(["status", run, "--json"]).json
    #expect(rungs > 0 && found["rungs"]?.integer == rungs)
    #expect(["damping", "confirmation"].contains(found["phase"]?.string))
    try await laserSucceeds(["report", run])
    let page = try String(contentsOf: folder["run/report.html"], encoding: .utf8)
    #expect(page.contains("Dampings measured so far"))
    // Cut down to the settings: the original is not measured yet.
    let first = try #require(journal.firstIndex(of: UInt8(ascii: "\n")))
    try journal[...first].write(to: folder["run/journal.jsonl"])
    let begun = try await laserSucceeds(["status", run, "--json"]).json
    #expect(begun["original"] == nil && begun["trials"]?.integer == 0 && begun["phase"]?.string == "baseline")
    try journal[..<first].write(to: folder["run/journal.jsonl"])
    try await expectFailure(["status", run], naming: ["no journal of a search"])
    try await expectFailure(["status", folder.path("nowhere")], naming: ["nowhere", "no journal of a search"])
  }

  /// Somebody who holds the folder as a search does, and goes on with its journal.
  @Test func aRunningSearchIsWatchedUntilItEnds() async throws {
    let journal = try await cutJournal(workshop.search(out: "run"))
    let lock = try FolderLock(run) { _ in }
    let descriptor = open(folder.path("run/journal.jsonl"), O_RDWR)
    defer { close(descriptor) }
    let status = try await laserSucceeds(["status", run, "--json"]).json
    #expect(status["state"]?.string == "running" && status["process"]?.integer == Int(getpid()))
    async let watching = laser(["report", run, "--watch"])
    let page = folder.path("run/report.html")
    for _ in 0..<500 where !FileManager.default.fileExists(atPath: page) {
      try await Task.sleep(for: .milliseconds(20))
    }
    let text = try String(contentsOfFile: page, encoding: .utf8)
    #expect(text.contains("This search is not finished.") && text.contains(#"http-equiv="refresh""#))
    let rest = journal[Data(try Data(contentsOf: folder["run/journal.jsonl"])).count...]
    try #require(lseek(descriptor, 0, SEEK_END) > 0)
    try rest.withUnsafeBytes { try #require(write(descriptor, $0.baseAddress, $0.count) == $0.count) }
    let watched = try await watching
    #expect(watched.status == 0 && watched.output.contains("Plan"), "\(watched.error)")
    lock.release()
    let last = try String(contentsOfFile: page, encoding: .utf8)
    #expect(!last.contains("not finished") && !last.contains("http-equiv"))
    // Nobody is there any more who would go on.
    let alone = try await laser(["report", run, "--watch"], killedAfter: .seconds(20))
    #expect(alone.status == 0)
  }
}
