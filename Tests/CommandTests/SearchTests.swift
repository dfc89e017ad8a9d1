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
    #expect(report["strategy"]?.string == "sweep" && report["program"]?.string?.hasPrefix("laser ") == true)
    #expect((report["base"]?.string != nil) == relative)
    #expect((report["alternatives"]?.array?.map { $0["name"]?.string } == ["the base itself"]) == relative)
    #expect(report["trials"]?.array?.count == report["measured"]?.integer)
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
    #expect(Set(lasered.keys).subtracting(original.keys) == ["README.md"])
    #expect(Set(original.keys).isSubset(of: lasered.keys))
    #expect(original.keys.filter { original[$0] != lasered[$0] } == ["model.safetensors"])
  }

  // MARK: Plans

  /// Without the journal nothing says which model a folder's spectra are of: another model's must not cut its matrices.
  @Test func spectraWithoutTheirJournalAreMadeAnew() async throws {
    let workshop = try Workshop()
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "other")
    let ranks = "energy:0.9"
    try await laserSucceeds(workshop.search(out: "run", model: workshop.folder.path("other"), ranks: ranks))
    try FileManager.default.removeItem(at: workshop.folder["run/journal.jsonl"])
    try await laserSucceeds(workshop.search(out: "run", ranks: ranks))
    try await laserSucceeds(workshop.search(out: "fresh", ranks: ranks))
    for file in ["spectra.jsonl", "plan.yaml"] {
      #expect(
        try Data(contentsOf: workshop.folder["run/\(file)"]) == Data(contentsOf: workshop.folder["fresh/\(file)"]),
        "\(file)")
    }
  }

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
    var out = try contents(of: folder["out"])
    #expect(out.removeValue(forKey: "README.md") != nil)
    #expect(try out == contents(of: folder["model"]))
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

  @Test func aReadmeKeepsItsTextAndGainsASection() async throws {
    let plan = try workshop.writePlan("plan.yaml", entries: [Workshop.entry(role: "w2", rank: 3)])
    try Data("---\nlicense: mit\n---\n# Mine\n".utf8).write(to: folder["model/README.md"])
    let apply = ["apply", workshop.model, "--plan", plan, "--out"]
    try await laserSucceeds(apply + [folder.path("out")])
    let readme = try String(contentsOf: folder["out/README.md"], encoding: .utf8)
    #expect(readme.contains("license: mit") && readme.contains("# Mine") && readme.contains("expert 0: w2 3/16"))
    // Lasered again, from the lasered one: one section.
    let second = try workshop.writePlan(
      "second.yaml", of: workshop.fingerprint("out"), entries: [Workshop.entry(role: "w3", rank: 4)])
    try await laserSucceeds(["apply", folder.path("out"), "--plan", second, "--out", folder.path("twice")])
    let twice = try String(contentsOf: folder["twice/README.md"], encoding: .utf8)
    #expect(twice.components(separatedBy: "## Lasered").count == 2)
    #expect(twice.contains("# Mine") && twice.contains("w3 4/16") && !twice.contains("w2 3/16"))
    // A README that is all ours may be replaced with the rest; one that somebody added to may not.
    try FileManager.default.removeItem(at: folder["model/README.md"])
    try FileManager.default.removeItem(at: folder["out"])
    try await laserSucceeds(apply + [folder.path("out")])
    try await laserSucceeds(apply + [folder.path("out"), "--force"])
    let own = try String(contentsOf: folder["out/README.md"], encoding: .utf8)
    try Data((own + "A note.\n").utf8).write(to: folder["out/README.md"])
    try await expectFailure(apply + [folder.path("out"), "--force"], naming: ["README.md"])
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

  /// The checkpoint's README among it, which says nothing of when or how long.
  @Test func aRecipeIsTheSameSearch() async throws {
    try await laserSucceeds(workshop.search(out: "run", ranks: "8,4"))
    let recipe = """
      model: model
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      context: 32
      strategy: sweep
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
    // What is finished and written stays as it is; what is there and not the search's own is refused.
    try await laserSucceeds(["run", folder.path("recipe.yaml")])
    #expect(try contents(of: folder["from-recipe/checkpoint"]) == contents(of: folder["lasered"]))
    let elsewhere = ["run", folder.path("recipe.yaml"), "--checkpoint", folder.path("lasered")]
    try await expectFailure(elsewhere, naming: ["lasered", "--force"])
    try await laserSucceeds(["run", folder.path("recipe.yaml"), "--force"])
    #expect(try contents(of: folder["from-recipe/checkpoint"]) == contents(of: folder["lasered"]))
  }

  @Test func reportsAreRebuiltToTheByte() async throws {
    let search = try await laserSucceeds(workshop.search(out: "run"))
    let before = try contents(of: folder["run"])
    #expect(
      before.keys.sorted() == [
        "journal.jsonl", "plan.yaml", "report.html", "report.json", "report.md", "spectra.jsonl",
      ])
    for name in ["report.html", "report.json", "report.md"] {
      try FileManager.default.removeItem(at: folder["run/\(name)"])
    }
    let report = try await laserSucceeds(["report", folder.path("run")])
    #expect(try contents(of: folder["run"]) == before)
    #expect(report.output == search.output)
  }
}
