import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// The members of a batch one by one, as the tasks of a cluster run them.
struct BatchTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }
  private var recipe: String { folder.path("batch.yaml") }
  private let names = ["0.5_sweep", "0.5_greedy", "0.6_sweep", "0.6_greedy"]

  init() throws {
    workshop = try Workshop()
    try write(out: "batch", to: "batch.yaml")
  }

  private func write(out: String, to name: String, ranks: String = "[8, 4]") throws {
    let recipe = """
      model: model
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      context: 32
      ranks: \(ranks)
      confidence: [0.5, 0.6]
      fdr: 1
      strategy: [sweep, greedy]
      layers: 0
      out: \(out)
      checkpoint: lasered

      """
    try Data(recipe.utf8).write(to: folder[name])
  }

  private func states(_ recipe: String? = nil) async throws -> [String] {
    let json = try await laserSucceeds(["run", recipe ?? self.recipe, "--list", "--json"]).json
    return try #require(json["members"]?.array).compactMap { $0["state"]?.string }
  }

  private func text(_ name: String) throws -> String { try String(contentsOf: folder[name], encoding: .utf8) }

  /// A batch's summary without the times and folders, in which two runs of it differ.
  private func rows(_ text: String) -> [String] {
    text.split(separator: "\n").map(String.init).filter { line in
      !["seconds", "started", "out", "command"].contains { line.contains("\"\($0)\"") }
    }
  }

  @Test func membersOneByOneMakeTheSameAsOneProcess() async throws {
    try write(out: "whole", to: "whole.yaml")
    let whole = try await laserSucceeds(["run", folder.path("whole.yaml"), "--quiet"])
    #expect(try await states() == Array(repeating: "not_begun", count: 4))
    let list = try await laserSucceeds(["run", recipe, "--list"]).output
    #expect(list.split(separator: "\n").count == 4, "a line each, for scripts")
    let third = try #require(list.split(separator: "\n").dropFirst(2).first)
    #expect(
      third.split(separator: " ").map(String.init) == ["3", names[2], folder.path("batch/0.6_sweep"), "not", "begun"])

    // Two of them, the second by the number of a task; and one that is cut short.
    let alone = try await laserSucceeds(["run", recipe, "--member", "1", "--quiet"])
    #expect(alone.output.contains("Plan") && !FileManager.default.fileExists(atPath: folder.path("batch/summary.md")))
    let task = try await laser(
      ["run", recipe, "--member", "slurm", "--quiet"], shell: "export SLURM_ARRAY_TASK_ID=4")
    try #require(task.status == 0, "\(task.error)")
    try await laserSucceeds(["run", recipe, "--member", "2", "--quiet"])
    let journal = try Data(contentsOf: folder["batch/0.5_greedy/journal.jsonl"])
    let cut = try #require(journal.dropLast().lastIndex(of: UInt8(ascii: "\n")))
    try journal[...cut].write(to: folder["batch/0.5_greedy/journal.jsonl"])
    #expect(try await states() == ["finished", "unfinished", "not_begun", "finished"])

    // The table of what there is: nothing has failed.
    let part = try await laserSucceeds(["run", recipe, "--summarize"])
    for words in ["unfinished", "not begun"] {
      #expect(try part.output.contains(words) && text("batch/summary.md").contains(words))
    }
    let searches = try #require(JSON(parsing: Array(Data(contentsOf: folder["batch/summary.json"])))["searches"]?.array)
    #expect(searches.map { $0["name"]?.string } == names)
    #expect(searches.map { $0["state"]?.string } == [nil, "unfinished", "not_begun", nil])
    #expect(searches.map { $0["report"] == nil } == [false, true, true, false])

    try FileManager.default.removeItem(at: folder["batch/0.5_greedy"])
    for number in ["2", "3"] { try await laserSucceeds(["run", recipe, "--member", number, "--quiet"]) }
    let table = try await laserSucceeds(["run", recipe, "--summarize"])
    #expect(table.output == whole.output && table.error.isEmpty)
    #expect(try text("batch/summary.md") == text("whole/summary.md"))
    #expect(try rows(text("batch/summary.json")) == rows(text("whole/summary.json")))
    for name in names {
      #expect(try RunFiles(folder["batch/\(name)"]) == RunFiles(folder["whole/\(name)"]))
      #expect(try contents(of: folder["batch/\(name)/lasered"]).isEmpty == false)
    }
    // The batch in one process has nothing left to do, and says the same.
    let before = try contents(of: folder["batch"])
    let again = try await laserSucceeds(["run", recipe, "--quiet"])
    #expect(again.output == table.output)
    #expect(try contents(of: folder["batch"]) == before)
  }

  /// What is written is not what is asked for: it was removed, or the recipe was changed.
  @Test func aMemberIsFinishedWhenAllOfItIsThere() async throws {
    try await laserSucceeds(["run", recipe, "--member", "1", "--quiet"])
    #expect(try await states()[0] == "finished")
    let checkpoint = folder["batch/0.5_sweep/lasered"]
    let lasered = try contents(of: checkpoint)
    try FileManager.default.removeItem(at: checkpoint)
    #expect(try await states()[0] == "searched")
    #expect(try await laserSucceeds(["run", recipe, "--list"]).output.contains("searched, not written"))
    // Its result is known all the same.
    let summary = try await laserSucceeds(["run", recipe, "--summarize", "--json"]).json
    #expect(summary["searches"]?.array?[0]["report"] != nil)
    try await laserSucceeds(["run", recipe, "--member", "1", "--quiet"])
    #expect(try contents(of: checkpoint) == lasered)
    // With other ranks the search goes on, and its checkpoint would be another one.
    try write(out: "batch", to: "batch.yaml", ranks: "[8, 4, 2]")
    #expect(try await states()[0] == "unfinished")
    try await expectFailure(
      ["run", recipe, "--member", "1", "--quiet"], naming: ["batch/0.5_sweep/lasered: exists already", "--force"])
    #expect(try contents(of: checkpoint) == lasered)
    try await laserSucceeds(["run", recipe, "--member", "1", "--quiet", "--force"])
    #expect(try await states()[0] == "finished")
  }

  @Test func aRunFolderThatCannotBeReadIsSaid() async throws {
    let run = folder["batch/0.5_sweep"]
    try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
    try Data("{\"not\": \"a journal\"}\n".utf8).write(to: run.appending(path: "journal.jsonl"))
    #expect(try await states() == ["unreadable", "not_begun", "not_begun", "not_begun"])
    let list = try await laserSucceeds(["run", recipe, "--list"]).output
    #expect(list.contains("unreadable: ") && list.contains("line 1: not a record of a journal"))
    let summary = try await laser(["run", recipe, "--summarize"])
    #expect(summary.status == 1 && summary.output.contains("failed") && summary.output.contains("not begun"))
  }

  /// Numbers go on from recipe to recipe.
  @Test func membersOfSeveralRecipes() async throws {
    try write(out: "other", to: "other.yaml")
    let list = try await laserSucceeds(["run", recipe, folder.path("other.yaml"), "--list", "--json"]).json
    let members = try #require(list["members"]?.array)
    #expect(members.compactMap { $0["number"]?.integer } == Array(1...8))
    #expect(members[5]["out"]?.string == folder.path("other/0.5_greedy"))
    try await laserSucceeds(["run", recipe, folder.path("other.yaml"), "--member", "6", "--quiet"])
    #expect(try await states(folder.path("other.yaml")) == ["not_begun", "finished", "not_begun", "not_begun"])
  }

  @Test(
    arguments: [
      (nil, "5", "the batch has no member 5: its members are 1 to 4"), (nil, "0", "no member 0"),
      (nil, "slurm", "SLURM_ARRAY_TASK_ID is not set"), ("x", "slurm", #"SLURM_ARRAY_TASK_ID is "x", not a number"#),
      ("5", "slurm", "no member 5 (SLURM_ARRAY_TASK_ID): its members are 1 to 4"),
      ("0", "slurm", "no member 0 (SLURM_ARRAY_TASK_ID)"), ("99999999999999999999", "slurm", "not a number"),
    ] as [(String?, String, String)])
  func numbersThatAreNone(task: String?, number: String, words: String) async throws {
    let shell = task.map { "export SLURM_ARRAY_TASK_ID='\($0)'" } ?? "unset SLURM_ARRAY_TASK_ID"
    try await expectFailure(["run", recipe, "--member", number], naming: [words], shell: shell)
    #expect(!FileManager.default.fileExists(atPath: folder.path("batch")))
  }
}
