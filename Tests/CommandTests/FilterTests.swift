import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// Searches by filters of singular directions, seen from the run folder and from what is written.
struct FilterTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  /// On two layers of the embedded model, relative to its base.
  private func search(_ out: String, _ more: [String] = []) -> [String] {
    ["search", Posy.model, "--base", Posy.base, "--layers", "4-5", "--context", "64"] + ["--text"]
      + workshop.searchTexts + ["--held-out"] + workshop.heldOutTexts + ["--out", folder.path(out)] + more
  }

  private func records(_ run: String, _ kind: String) throws -> [JSON] {
    try String(contentsOf: folder["\(run)/journal.jsonl"], encoding: .utf8).split(separator: "\n")
      .map { try JSON(parsing: Array($0.utf8)) }.filter { $0["record"]?.string == kind }
  }

  private func report(_ run: String) throws -> JSON {
    try JSON(parsing: Array(Data(contentsOf: folder["\(run)/report.json"])))
  }

  /// The report's number is what `laser perplexity` says of the written checkpoint, to the last digit.
  @Test(arguments: ["shrink", "select", "reweight", "scale"])
  func theCheckpointScoresWhatTheSearchSays(filter: String) async throws {
    try await laserSucceeds(search("run", ["--filter", filter]))
    let plan = try String(contentsOf: folder["run/plan.yaml"], encoding: .utf8)
    #expect(plan.contains("laser_plan: 2") && plan.contains("matrix: "))
    #expect(plan.contains("filter: \(filter)"))
    let run = try await laserSucceeds(
      [
        "apply", Posy.model, "--base", Posy.base, "--plan", folder.path("run/plan.yaml"), "--out",
        folder.path("lasered"),
      ])
    #expect(!run.error.contains("other bytes"))
    for (part, texts) in [("search", workshop.searchTexts), ("held_out", workshop.heldOutTexts)] {
      let json = try await laserSucceeds(
        ["perplexity", folder.path("lasered"), "--context", "64", "--json", "--text"] + texts
      ).json
      let scored = try #require(json["corpora"]?.array).map { $0["nll"]?.number }
      #expect(try report("run")[part]?["corpora"]?.array?.map { $0["result"]?["nll"]?.number } == scored)
    }
    let before = try #require(report("run")["search"]?["baseline"]?["nll"]?.number)
    #expect(try #require(report("run")["search"]?["result"]?["nll"]?.number) < before)
  }

  /// A recipe's checkpoint is the one that apply writes of its plan, with one filter for every direction.
  @Test func aRecipeWritesTheFiltersItFound() async throws {
    let recipe = """
      model: \(Posy.model)
      base: \(Posy.base)
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      layers: 5
      roles: [w1, w2]
      context: 64
      out: run
      checkpoint: from-recipe

      """
    try Data(recipe.utf8).write(to: folder["recipe.yaml"])
    try await laserSucceeds(["run", folder.path("recipe.yaml")])
    try await laserSucceeds(
      [
        "apply", Posy.model, "--base", Posy.base, "--plan", folder.path("run/plan.yaml"), "--out",
        folder.path("applied"),
      ])
    let (written, applied) = (try contents(of: folder["from-recipe"]), try contents(of: folder["applied"]))
    #expect(written == applied && !written.isEmpty)
    let json = try await laserSucceeds(
      ["perplexity", folder.path("from-recipe"), "--context", "64", "--json", "--text"] + workshop.heldOutTexts
    ).json
    let scored = try #require(json["corpora"]?.array).map { $0["nll"]?.number }
    #expect(try report("run")["held_out"]?["corpora"]?.array?.map { $0["result"]?["nll"]?.number } == scored)
  }

  /// Where nothing is kept there is nothing to write.
  @Test func aRecipeThatKeepsNothingWritesNoModel() async throws {
    let recipe = """
      model: \(Posy.model)
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      layers: 5
      experts: 0
      roles: w2
      damping: 1e-9
      context: 64
      out: run
      checkpoint: from-recipe

      """
    try Data(recipe.utf8).write(to: folder["recipe.yaml"])
    let run = try await laserSucceeds(["run", folder.path("recipe.yaml")])
    #expect(run.output.contains("No matrix is filtered") && run.output.contains("none: nothing was kept"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("from-recipe")))
    #expect(try String(contentsOf: folder["run/plan.yaml"], encoding: .utf8).contains("reductions: []"))
  }

  /// Every rung is of windows that did not make its filters, and the ladder ends where it gets worse.
  @Test func theLadderGoesDownUntilItGetsWorse() async throws {
    try await laserSucceeds(search("run", ["--roles", "w1,w2,w3"]))
    let rungs = try records("run", "rung").filter { $0["isAlternative"]?.boolean == false }
    let dampings = rungs.compactMap { $0["damping"]?.number }
    let deltas = rungs.compactMap { $0["delta"]?.number }
    // Down by quarters as long as that is better, then the powers of 2 beside the best.
    let worse = try #require(
      zip(deltas, deltas.dropFirst()).enumerated().first { $1.0 <= $1.1 }?.offset ?? deltas.indices.last)
    let coarse = (0...worse).map { 64 / Double(1 << (2 * $0)) }
    #expect(Array(dampings.prefix(worse + 1)) == coarse)
    let least = dampings[deltas.indices.min { deltas[$0] < deltas[$1] } ?? 0]
    for damping in dampings { #expect(damping == exp2(log2(damping).rounded())) }
    #expect(Set(dampings).count == dampings.count)
    #expect(dampings.contains(2 * least) && (least == 1 || dampings.contains(least / 2)))
    // Half of each text's windows.
    let windows = try #require(records("run", "settings").first?["inputs"]?["text"]?.array).map {
      $0["windows"]?.integer ?? 0
    }
    #expect(rungs.allSatisfy { $0["windows"]?.array?.count == windows.reduce(0) { $0 + $1 / 2 } })
    // The chosen damping is the best that passed.
    let best = zip(rungs, deltas).filter { $0.0["passes"]?.boolean == true }.min { $0.1 < $1.1 }
    let kept = try #require(records("run", "trial").first?["together"]?.array)
    #expect(!kept.isEmpty && kept.allSatisfy { $0["damping"]?.number == best?.0["damping"]?.number })
  }

  @Test func aSearchThatIsCutGoesOnToTheSameEnd() async throws {
    try await laserSucceeds(search("whole"))
    let whole = try RunFiles(folder["whole"])
    let factors = try Data(contentsOf: folder["whole/plan.safetensors"])
    let journal = try Data(contentsOf: folder["whole/journal.jsonl"])
    let directions = try Data(contentsOf: folder["whole/directions.jsonl"])
    let spectra = try Data(contentsOf: folder["whole/spectra.jsonl"])
    let ends = journal.indices.filter { journal[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    let cuts: [(journal: Int, directions: Int, spectra: Int)] = [
      (ends[0], 0, 0), (ends[1], directions.count / 2, spectra.count / 2),
      (ends[0], directions.count, spectra.count / 3), (ends[0], directions.count, spectra.count),
      (ends[2] + 5, directions.count, spectra.count), (ends[ends.count - 2], directions.count, spectra.count),
      (ends[ends.count - 2] - 3, directions.count, spectra.count),
    ]
    for (number, cut) in cuts.enumerated() {
      let run = "cut\(number)"
      try FileManager.default.createDirectory(at: folder[run], withIntermediateDirectories: true)
      try journal[..<cut.journal].write(to: folder["\(run)/journal.jsonl"])
      try directions[..<cut.directions].write(to: folder["\(run)/directions.jsonl"])
      try spectra[..<cut.spectra].write(to: folder["\(run)/spectra.jsonl"])
      try await laserSucceeds(search(run, number == 1 ? ["--threads", "1"] : []))
      #expect(try RunFiles(folder[run]) == whole, "cut \(number)")
      #expect(try Data(contentsOf: folder["\(run)/plan.safetensors"]) == factors)
      #expect(try Data(contentsOf: folder["\(run)/directions.jsonl"]).count == directions.count)
    }
  }

  /// A second backward pass, through the filtered model, begins where the first one ended; it goes on from any point, and the
  /// report's number is the checkpoint's.
  @Test func aSecondRoundGoesOnFromTheFirst() async throws {
    let more = ["--roles", "w1,w2", "--filter", "reweight", "--damping", "12"]
    try await laserSucceeds(search("one", more))
    try await laserSucceeds(search("two", more + ["--rounds", "2"]))
    let (one, two) = (try records("one", "rung"), try records("two", "rung"))
    let rounds = two.filter { $0["isAlternative"]?.boolean == false }
    #expect(rounds.map { $0["round"]?.integer } == [1, 2] && rounds[1]["passes"]?.boolean == true)
    func nlls(_ rung: JSON) -> [Double?] { (rung["windows"]?.array ?? []).map { $0["nll"]?.number } }
    #expect(nlls(rounds[0]) == nlls(one[0]) && nlls(rounds[1]) != nlls(one[0]))
    // What is kept lowers the score by both steps.
    let kept = try #require(records("two", "trial").first)
    let steps = rounds.compactMap { $0["delta"]?.number }.reduce(0, +)
    #expect(abs(try #require(kept["delta"]?.number) - steps) < 1e-12)
    let score = try #require(report("two")["search"]?["result"]?["nll"]?.number)
    #expect(try score < #require(report("one")["search"]?["result"]?["nll"]?.number))
    try await laserSucceeds(
      [
        "apply", Posy.model, "--base", Posy.base, "--plan", folder.path("two/plan.yaml"), "--out",
        folder.path("lasered"),
      ])
    let json = try await laserSucceeds(
      ["perplexity", folder.path("lasered"), "--context", "64", "--json", "--text"] + workshop.searchTexts
    ).json
    let scored = try #require(json["corpora"]?.array).map { $0["nll"]?.number }
    #expect(try report("two")["search"]?["corpora"]?.array?.map { $0["result"]?["nll"]?.number } == scored)
    // Cut in the second round's first pass, before its rung, and in the pass over all windows.
    let whole = try RunFiles(folder["two"])
    let journal = try Data(contentsOf: folder["two/journal.jsonl"])
    let ends = journal.indices.filter { journal[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    for (journalEnd, halved) in [
      (ends[2], "directions-2-fitting.jsonl"), (ends[2], ""), (ends[3], "directions-2.jsonl"),
    ] {
      try? FileManager.default.removeItem(at: folder["cut"])
      try FileManager.default.copyItem(at: folder["two"], to: folder["cut"])
      try journal[..<journalEnd].write(to: folder["cut/journal.jsonl"])
      if !halved.isEmpty {
        let statistics = try Data(contentsOf: folder["cut/\(halved)"])
        try statistics.prefix(statistics.count / 2).write(to: folder["cut/\(halved)"])
      }
      try await laserSucceeds(search("cut", more + ["--rounds", "2"]))
      #expect(try RunFiles(folder["cut"]) == whole, "\(halved)")
    }
  }

  @Test func lessMemoryMakesTheSamePlan() async throws {
    try await laserSucceeds(search("whole", ["--roles", "w1,w2"]))
    let refusal = try await laser(search("small", ["--roles", "w1,w2", "--memory", "1K"]))
    let advice = try #require(refusal.error.firstMatch(of: /memory of 1M is too small .*; give at least (\d+M)\n$/))
    try await laserSucceeds(search("small", ["--roles", "w1,w2", "--memory", String(advice.1)]))
    #expect(try RunFiles(folder["small"]) == RunFiles(folder["whole"]))
    #expect(
      try Data(contentsOf: folder["small/plan.safetensors"]) == Data(contentsOf: folder["whole/plan.safetensors"]))
  }

  @Test func statisticsOfAnotherSearchAreRefused() async throws {
    try await laserSucceeds(search("run", ["--roles", "w1"]))
    let directions = folder["run/directions.jsonl"]
    let text = try String(contentsOf: directions, encoding: .utf8)
    try FileManager.default.removeItem(at: folder["run/journal.jsonl"])
    for damaged in [
      "{}\n", text.replacingOccurrences(of: "\"layer\":5", with: "\"layer\":77"),
      text.replacingOccurrences(of: "\"kind\":\"delta\"", with: "\"kind\":\"weights\""),
      text.replacingOccurrences(of: "\"sums\":\"", with: "\"sums\":\"AAAA"),
    ] {
      try Data(damaged.utf8).write(to: directions)
      let run = try await laser(search("run", ["--roles", "w1"]))
      #expect(run.status == 1 && run.error.contains("directions.jsonl") && run.error.contains("remove the file"))
    }
    // Whole, but of windows that were cut in another way.
    try FileManager.default.removeItem(at: folder["run/journal.jsonl"])
    try Data(text.utf8).write(to: directions)
    let run = try await laser(search("run", ["--roles", "w1", "--convention", "llama.cpp"]))
    #expect(run.status == 1 && run.error.contains("statistics of another search"))
  }

  /// What filters leave of a matrix is of low rank with `select`, so that factors are thin.
  @Test func plansOfFiltersMakeFactorsAndGGUF() async throws {
    let plan = try writePlan(
      factors: ["0.0.w1": [1, 0, 0, 1] + Array(repeating: 0, count: 12)], filter: "select", rank: 2)
    try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", folder.path("whole")])
    try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", folder.path("thin"), "--factored"])
    try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", folder.path("x.gguf"), "--to", "gguf"])
    let text = workshop.searchTexts[0]
    let scores = try await ["whole", "thin", "x.gguf"].asyncMap {
      try await laserSucceeds(["perplexity", folder.path($0), "--text", text, "--context", "32", "--json"]).json[
        "corpora"]?
        .array?.first?["nll"]?.number ?? 0
    }
    #expect(abs(scores[0] - scores[2]) < 1e-4 && abs(scores[0] - scores[1]) < 0.02 && scores[0] > 1)
  }

  @Test func damagedFactorsAreNamed() async throws {
    let good: [Float] = Array(repeating: 0.5, count: 16)
    let damaged: [(factors: [String: [Float]], named: String)] = [
      (["0.0.w2": good], "layer 0 expert 0 w1"), (["0.0.w1": Array(good.dropLast())], "15 directions"),
      (["0.0.w1": [3] + good.dropLast()], "not from 0 to 2"), (["0.0.w1": [.nan] + good.dropLast()], "not from 0 to 2"),
    ]
    for (factors, named) in damaged {
      let plan = try writePlan(factors: factors, filter: "shrink", rank: 16)
      let run = try await laser(["apply", workshop.model, "--plan", plan, "--out", folder.path("out")])
      #expect(run.status == 1 && run.error.contains(named), "\(run.error)")
    }
    try FileManager.default.removeItem(at: folder["plan.safetensors"])
    let run = try await laser(
      ["apply", workshop.model, "--plan", folder.path("plan.yaml"), "--out", folder.path("out")])
    #expect(run.status == 1 && run.error.contains("plan.safetensors"))
  }

  private func writePlan(factors: [String: [Float]], filter: String, rank: Int) throws -> String {
    let text = """
      laser_plan: 2
      model: '\(try workshop.fingerprint())'
      reductions:
      - {tensor: t, layer: 0, expert: 0, role: w1, kind: weights, filter: \(filter), rank: \(rank), full_rank: 16}

      """
    try Data(text.utf8).write(to: folder["plan.yaml"])
    try Data(SafetensorsVectors.bytes(factors)).write(to: folder["plan.safetensors"])
    return folder.path("plan.yaml")
  }
}

extension Array {
  /// One after another.
  fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
    var result: [Value] = []
    for element in self { result.append(try await transform(element)) }
    return result
  }
}
