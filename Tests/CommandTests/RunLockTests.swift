import CheckpointFixtures
import Checkpoints
import Foundation
import Glibc
import Testing

/// Two searches in one run folder.
struct RunLockTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }
  private var lock: String { folder.path("run/.lock") }

  init() throws { workshop = try Workshop() }

  /// One that is at work until it is stopped.
  private var long: [String] {
    workshop.search(
      out: "run", model: Posy.model, ranks: (1...60).map(String.init).joined(separator: ","),
      more: ["--exhaustive", "--quiet"])
  }

  /// The first search, once it is at work.
  private func worker() async throws -> FolderLockHolder {
    for _ in 0..<3000 {
      if let holder = FolderLock.holder(in: folder.path("run")),
        (try? Data(contentsOf: folder["run/journal.jsonl"]))?.isEmpty == false
      {
        return holder
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    return try #require(nil as FolderLockHolder?, "no search is at work")
  }

  private func state() async throws -> JSON { try await laserSucceeds(["status", folder.path("run"), "--json"]).json }

  @Test func theSecondOneIsRefusedAndTheFirstGoesOn() async throws {
    async let first = laser(long, killedAfter: .seconds(120))
    let worker = try await worker()
    let journal = try Data(contentsOf: folder["run/journal.jsonl"])
    let second = try await laser(long, killedAfter: .seconds(60))
    #expect(second.status == 1 && second.output.isEmpty)
    #expect(
      second.error == """
        Error: \(folder.path("run")): \(worker.host), process \(worker.process), is at work there since \(worker.since); \
        wait for it, or use another folder

        """)
    #expect(try Data(contentsOf: folder["run/journal.jsonl"]).starts(with: journal))
    let running = try await state()
    #expect(running["state"]?.string == "running" && running["process"]?.integer == Int(worker.process))
    #expect(try await laserSucceeds(["status", folder.path("run")]).output.contains("Running (\(worker.name))"))
    kill(worker.process, SIGTERM)
    let ended = try await first
    #expect(ended.status == 1 && ended.error.contains("interrupted"), "\(ended.error)")
    // One that is asked to end takes its lock along, so that another host can go on at once.
    #expect(!FileManager.default.fileExists(atPath: lock))
    let after = try await state()
    #expect(after["state"]?.string == "interrupted" && after["process"] == nil)
  }

  @Test func whatAKilledOneLeavesIsInNobodysWay() async throws {
    async let first = laser(long, killedAfter: .seconds(120))
    let killed = try await worker()
    kill(killed.process, SIGKILL)
    #expect(try await first.status == nil)
    #expect(FileManager.default.fileExists(atPath: lock))
    #expect(try await state()["state"]?.string == "interrupted")
    async let second = laser(long, killedAfter: .seconds(120))
    let next = try await worker()
    #expect(next.process != killed.process)
    kill(next.process, SIGTERM)
    #expect(try await second.error == "Error: interrupted; run the same command again to continue\n")
    #expect(!FileManager.default.fileExists(atPath: lock))
  }

  @Test func aSearchOfAnotherHost() async throws {
    let search = workshop.search(out: "run")
    try await laserSucceeds(search)
    let plan = try Data(contentsOf: folder["run/plan.yaml"])
    let holder = FolderLockHolder(
      host: "node7", process: 41, since: "2026-01-02T03:04:05Z", start: 7, boot: "another", table: "pid:[4026531836]",
      number: "00112233445566ff")
    try Data(holder.bytes).write(to: URL(filePath: lock))
    try await expectFailure(search, naming: ["node7, process 41, is at work there", "try again in 5 minutes"])
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -400)], ofItemAtPath: lock)
    let run = try await laserSucceeds(search)
    #expect(run.error.contains("takes over \(folder.path("run")) from node7, process 41"), "\(run.error)")
    #expect(try Data(contentsOf: folder["run/plan.yaml"]) == plan)
    #expect(!FileManager.default.fileExists(atPath: lock))
    // A file of somebody else's.
    try Data("mine".utf8).write(to: URL(filePath: lock))
    try await expectFailure(search, naming: [".lock: damaged, or not laser's"])
    #expect(try Data(contentsOf: URL(filePath: lock)) == Data("mine".utf8))
  }
}
