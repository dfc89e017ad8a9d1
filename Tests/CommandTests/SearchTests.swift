import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// From a search over its plan to the checkpoint written.
struct SearchTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  private func report(_ run: String) throws -> JSON {
    try JSON(parsing: [UInt8](Data(contentsOf: folder[run].appending(path: "report.json"))))
  }

  /// A part of the report, "search" or "held_out": each corpus's nll of "baseline" or "result".
  private func nlls(_ report: JSON, _ part: String, _ which: String) throws -> [Double] {
    let corpora = try #require(report[part]?["corpora"]?.array)
    return try corpora.map { try #require($0[which]?["nll"]?.number) }
  }

  private func nlls(ofModel model: String, _ texts: [String]) async throws -> [Double] {
    let json = try await laserSucceeds(workshop.perplexity(model, texts)).json
    return try #require(json["corpora"]?.array).map { try #require($0["nll"]?.number) }
  }

  // MARK: What is measured is what is saved

  @Test(arguments: [false, true]) func theWrittenCheckpointGivesTheReportedNumbers(_ relative: Bool) async throws {
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "base")
    let more = ["--roles", "w1,w2,w3,q_proj,o_proj"] + (relative ? ["--base", folder.path("base")] : [])
    let search = try await laserSucceeds(workshop.search(out: "run", ranks: "12,4,0.1", more: more + ["--json"]))
    let plan = folder.path("run/plan.yaml")
    try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", folder.path("lasered")])

    let report = try report("run")
    #expect(search.output == (try String(contentsOf: folder["run/report.json"], encoding: .utf8)))
    var keys: Set = ["search", "held_out", "plan", "trials", "seconds", "model", "convention", "context"]
    if relative { keys.insert("base") }
    #expect(Set(report.keys) == keys)
    let entries = try #require(report["plan"]?.array)
    try #require(!entries.isEmpty, "nothing was kept, so nothing was tested")
    #expect(entries.allSatisfy { $0["kind"]?.string == (relative ? "delta" : "weights") })

    for (part, texts) in [("search", workshop.searchTexts), ("held_out", workshop.heldOutTexts)] {
      #expect(try await nlls(ofModel: "model", texts) == nlls(report, part, "baseline"))
      #expect(try await nlls(ofModel: "lasered", texts) == nlls(report, part, "result"))
    }
    #expect(try nlls(report, "search", "baseline") != nlls(report, "search", "result"))

    // Everything but the weights is the original's, and the plan says which weights are not.
    let (original, lasered) = (try contents(of: folder["model"]), try contents(of: folder["lasered"]))
    #expect(Set(original.keys) == Set(lasered.keys))
    #expect(original.keys.filter { original[$0] != lasered[$0] } == ["model.safetensors"])
  }

  // MARK: Plans

  @Test func aPlanOfFullRankChangesNothing() async throws {
    var entries: [String] = []
    for layer in 0..<2 {
      entries += ["q_proj", "o_proj"].map { Workshop.entry(layer: layer, expert: nil, role: $0, rank: 16) }
      entries += ["k_proj", "v_proj"].map { Workshop.entry(layer: layer, expert: nil, role: $0, rank: 8, fullRank: 8) }
      for expert in 0..<2 {
        entries += ["w1", "w2", "w3"].map { Workshop.entry(layer: layer, expert: expert, role: $0, rank: 16) }
      }
    }
    let plan = try workshop.writePlan("plan.yaml", entries: entries)
    try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", folder.path("out")])
    #expect(try contents(of: folder["out"]) == contents(of: folder["model"]))
  }

  @Test func applyingTwiceGivesTheSameBytes() async throws {
    let entries = (0..<2).map { Workshop.entry(layer: $0, role: "w2", rank: 3) }
    let plan = try workshop.writePlan("plan.yaml", entries: entries)
    for (out, threads) in [("a", "1"), ("b", "2")] {
      try await laserSucceeds(
        ["apply", workshop.model, "--plan", plan, "--out", folder.path(out), "--threads", threads])
    }
    #expect(try contents(of: folder["a"]) == contents(of: folder["b"]))
    #expect(try contents(of: folder["a"]) != contents(of: folder["model"]))
    // Into its own place once more, and to another model when that is asked for.
    try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", folder.path("a"), "--force"])
    #expect(try contents(of: folder["a"]) == contents(of: folder["b"]))
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "other")
    try await laserSucceeds(
      ["apply", folder.path("other"), "--plan", plan, "--out", folder.path("c"), "--any-model"])
  }

  // MARK: Determinism

  @Test func threadsAndRepetitionChangeNothing() async throws {
    for (run, threads) in [("first", "2"), ("again", "2"), ("single", "1")] {
      let search = try await laserSucceeds(workshop.search(out: run, more: ["--threads", threads, "--quiet"]))
      #expect(search.error.isEmpty, "--quiet")
    }
    let first = try RunFiles(folder["first"])
    #expect(try RunFiles(folder["again"]) == first)
    #expect(try RunFiles(folder["single"]) == first)
  }

  @Test func aRecipeIsTheSameSearch() async throws {
    try await laserSucceeds(workshop.search(out: "run", ranks: "8,4"))
    let recipe = """
      model: model
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      context: 32
      ranks: [8, 4]
      confidence: 0.5
      fdr: 1
      out: from-recipe
      checkpoint: from-recipe/checkpoint
      """
    try Data(recipe.utf8).write(to: folder["recipe.yaml"])
    let run = try await laserSucceeds(["run", folder.path("recipe.yaml"), "--quiet"])
    #expect(run.error.isEmpty)
    #expect(try RunFiles(folder["from-recipe"]) == RunFiles(folder["run"]))
    try await laserSucceeds(
      ["apply", workshop.model, "--plan", folder.path("run/plan.yaml"), "--out", folder.path("lasered")])
    #expect(try contents(of: folder["from-recipe/checkpoint"]) == contents(of: folder["lasered"]))
    // The checkpoint is there now; the finished search is not made again.
    try await expectFailure(["run", folder.path("recipe.yaml")], naming: ["from-recipe/checkpoint", "--force"])
    try await laserSucceeds(["run", folder.path("recipe.yaml"), "--force"])
    #expect(try contents(of: folder["from-recipe/checkpoint"]) == contents(of: folder["lasered"]))
  }

  @Test func reportsAreRebuiltToTheByte() async throws {
    let search = try await laserSucceeds(workshop.search(out: "run"))
    let before = try contents(of: folder["run"])
    #expect(before.keys.sorted() == ["journal.jsonl", "plan.yaml", "report.json", "report.md", "spectra.jsonl"])
    for name in ["report.json", "report.md"] { try FileManager.default.removeItem(at: folder["run/\(name)"]) }
    let report = try await laserSucceeds(["report", folder.path("run")])
    #expect(try contents(of: folder["run"]) == before)
    #expect(report.output == search.output)
  }
}
