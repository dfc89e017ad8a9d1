import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

/// What each way of searching does, seen from its journal and its results.
struct StrategyTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  private func trials(_ run: String) throws -> [JSON] {
    let lines = try String(contentsOf: folder["\(run)/journal.jsonl"], encoding: .utf8).split(separator: "\n")
    return try lines.map { try JSON(parsing: Array($0.utf8)) }.filter { $0["record"]?.string == "trial" }
  }

  private func report(_ run: String) throws -> JSON {
    try JSON(parsing: [UInt8](Data(contentsOf: folder["\(run)/report.json"])))
  }

  // MARK: Greedy

  @Test func greedyMeasuresEachAloneAndThenComposes() async throws {
    try await laserSucceeds(workshop.search(out: "run", more: ["--strategy", "greedy"]))
    let trials = try trials("run")
    let singles = trials.filter { $0["phase"]?.string == "single" }
    let composed = trials.filter { $0["phase"]?.string == "composition" }
    #expect(singles.count == 12 * 3 && trials.count == singles.count + composed.count)
    #expect(singles.allSatisfy { $0["kept"]?.boolean == false })
    // All that lower the nll are findings here; they are composed from the best on.
    let findings = try singles.map { try #require($0["delta"]?.number) }.filter { $0 < 0 }
    #expect(composed.count <= findings.count && !composed.isEmpty)
    let first = try #require(composed.first)
    #expect(first["delta"]?.number == findings.min())
    let composedAlone = try composed.map { trial in
      let single = try #require(
        singles.first { single in ["tensor", "rank"].allSatisfy { "\(single[$0]!)" == "\(trial[$0]!)" } })
      return try #require(single["delta"]?.number)
    }
    #expect(composedAlone == composedAlone.sorted())
    // The composition is what its checkpoint scores.
    try await laserSucceeds(
      ["apply", workshop.model, "--plan", folder.path("run/plan.yaml"), "--out", folder.path("lasered")])
    let json = try await laserSucceeds(workshop.perplexity("lasered", workshop.searchTexts)).json
    let scored = try #require(json["corpora"]?.array).map { $0["nll"]?.number }
    let reported = try #require(report("run")["search"]?["corpora"]?.array).map { $0["result"]?["nll"]?.number }
    #expect(scored == reported)
  }

  // MARK: Noise edge

  @Test func noiseEdgeTriesNothing() async throws {
    // Tiny random matrices have nothing above the edge of their noise.
    let run = try await laserSucceeds(
      ["search", workshop.model, "--text"] + workshop.searchTexts + ["--held-out"] + workshop.heldOutTexts
        + ["--out", folder.path("run"), "--context", "32", "--strategy", "noise-edge"])
    #expect(run.output.contains("Reduced: 12 matrices; no trials"))
    let trials = try trials("run")
    #expect(
      trials.count == 12 && trials.allSatisfy { $0["phase"]?.string == "assignment" && $0["windowsUsed"]?.integer == 0 }
    )
    let plan = try #require(report("run")["plan"]?.array)
    #expect(plan.count == 12 && plan.allSatisfy { $0["delta"]?.isNull == true && $0["standard_error"]?.isNull == true })
    #expect(try report("run")["measured"]?.integer == 0)
    try await laserSucceeds(
      ["apply", workshop.model, "--plan", folder.path("run/plan.yaml"), "--out", folder.path("lasered")])
    let refused = try await laser(workshop.search(out: "other", more: ["--strategy", "noise-edge"]))
    #expect(refused.status == 64 && refused.error.contains("leave them out"), "ranks were given")
  }

  // MARK: Size

  @Test func sizeKeepsTheSmallestRankWithinTheTolerance() async throws {
    func search(_ out: String, tolerance: String) -> [String] {
      workshop.search(out: out, ranks: "14,6,2", more: ["--objective", "size", "--tolerance", tolerance])
    }
    try await laserSucceeds(search("generous", tolerance: "100"))
    let generous = try #require(report("generous")["plan"]?.array)
    // Rank 14 of 16 × 24 saves nothing in two factors; rank 2 is the smallest.
    #expect(generous.count == 12 && generous.allSatisfy { $0["rank"]?.integer == 2 })
    #expect(try trials("generous").count == 12, "a kept rank ends its site")
    try await laserSucceeds(search("careful", tolerance: "0"))
    let delta = try #require(report("careful")["search"]?["delta"]?.number)
    #expect(delta <= 0)
    let ranks = try trials("careful").map { try #require($0["rank"]?.integer) }
    #expect(Set(ranks) == [2, 6])
  }

  // MARK: Screening

  /// Decisions on a trained model are those of float32, where bfloat16 is used at all; what is kept was measured in float32.
  @Test func screeningInBfloat16DecidesAsFloat32Does() async throws {
    func search(_ out: String, _ precision: String) -> [String] {
      let texts = ["tales", "plays"]
      return ["search", Posy.model, "--base", Posy.base, "--layers", "4-5", "--experts", "0,2", "--strategy", "sweep"]
        + ["--ranks", "0.5,0.1"]
        + ["--text"] + texts.map { Posy.text("\($0).search") } + ["--held-out"]
        + texts.map { Posy.text("\($0).heldout") }
        + ["--context", "256", "--out", folder.path(out), "--screening", precision]
    }
    try await laserSucceeds(search("float32", "float32"))
    try await laserSucceeds(search("bf16", "bf16"))
    let (exact, screened) = (try trials("float32"), try trials("bf16"))
    let here = Precision.bfloat16.here
    try #require(exact.count == screened.count && exact.contains { $0["kept"]?.boolean == true })
    for (exact, screened) in zip(exact, screened) {
      #expect(exact["kept"]?.boolean == screened["kept"]?.boolean)
      #expect(exact["precision"] == nil)
      if screened["kept"]?.boolean == true {
        #expect(screened["precision"] == nil && screened["nll"]?.number == exact["nll"]?.number)
      } else if here == .bfloat16, screened["precision"] != nil {
        #expect(screened["precision"]?.string == "bf16" && screened["nll"]?.number != exact["nll"]?.number)
      }
    }
    #expect(screened.contains { $0["precision"] != nil } == (here == .bfloat16))
    #expect(
      try String(contentsOf: folder["float32/plan.yaml"], encoding: .utf8)
        == String(contentsOf: folder["bf16/plan.yaml"], encoding: .utf8))
    guard here == .bfloat16 else { return }
    let refused = try await laser(search("bf16", "float32"))
    #expect(refused.status == 1 && refused.error.contains("bf16, not float32"))
  }

  // MARK: Budget

  @Test func aBudgetCutsTheSameSearchShort() async throws {
    try await laserSucceeds(workshop.search(out: "whole"))
    let run = try await laserSucceeds(workshop.search(out: "cut", more: ["--budget", "7"]))
    #expect(run.output.contains("7 trials") && run.output.contains("the whole budget"))
    func decisions(_ run: String) throws -> [String] {
      try trials(run).map { "\($0["tensor"]!) \($0["rank"]!) \($0["nll"]!) \($0["kept"]!)" }
    }
    #expect(try decisions("cut") == Array(decisions("whole").prefix(7)))
  }

  /// Where a phase was cut short by the clock, the search that is continued goes on with the next one.
  @Test func aBudgetOfTimeSurvivesAnInterruption() async throws {
    let arguments = workshop.search(out: "run", more: ["--strategy", "greedy", "--budget", "1h"])
    try await laserSucceeds(arguments)
    let journal = folder["run/journal.jsonl"]
    var lines = try String(contentsOf: journal, encoding: .utf8).split(separator: "\n").map(String.init)
    // As if the time had been over after the last but two single reductions, and power after two compositions.
    let firstComposition = try #require(lines.firstIndex { $0.contains(#""phase":"composition""#) })
    try #require(lines.count > firstComposition + 2)
    // Before the trials stand the settings and the original's score.
    let renumbered = lines[firstComposition..<firstComposition + 2].enumerated().map { offset, line in
      line.replacing(
        "\"number\":\(firstComposition + offset - 1),", with: "\"number\":\(firstComposition + offset - 3),")
    }
    let cut = lines[..<(firstComposition - 2)] + renumbered
    lines = Array(cut)
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: journal)
    try await laserSucceeds(arguments)
    #expect(try trials("run").prefix(lines.count - 2).count == lines.count - 2)
  }

  // MARK: Control

  @Test func aControlMakesNoPlan() async throws {
    try await laserSucceeds(workshop.search(out: "plain"))
    let recipe = """
      model: model
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      context: 32
      strategy: sweep
      ranks: [8, 4, 0.1]
      confidence: 0.5
      fdr: 1
      control: true
      out: control
      checkpoint: lasered

      """
    try Data(recipe.utf8).write(to: folder["recipe.yaml"])
    try await laserSucceeds(["run", folder.path("recipe.yaml")])
    let files = try contents(of: folder["control"]).keys
    #expect(!files.contains("plan.yaml") && files.contains("report.md"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("lasered")))
    func deltas(_ run: String) throws -> [Double?] { try trials(run).map { $0["delta"]?.number } }
    #expect(try deltas("control") != deltas("plain"))
    #expect(try trials("control").map { $0["rank"]?.integer } == trials("plain").map { $0["rank"]?.integer })
  }

  // MARK: Batches

  @Test func aBatchGoesOnWhereAMemberFails() async throws {
    let recipe = """
      model: [model, absent]
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      context: 32
      ranks: [8, 4]
      confidence: 0.5
      fdr: 1
      strategy: [sweep, greedy]
      out: batch
      checkpoint: lasered

      """
    try Data(recipe.utf8).write(to: folder["recipe.yaml"])
    let run = try await laser(["run", folder.path("recipe.yaml"), "--quiet"])
    #expect(run.status == 1)
    #expect(run.output.contains("absent_sweep") && run.output.contains("failed"))
    #expect(run.output.contains("no such folder"))
    for member in ["model_sweep", "model_greedy"] {
      #expect(try Checkpoint(path: folder.path("batch/\(member)/lasered")).byteCount > 0)
    }
    let summary = try JSON(parsing: [UInt8](Data(contentsOf: folder["batch/summary.json"])))
    let rows = try #require(summary["searches"]?.array)
    #expect(rows.map { $0["name"]?.string } == ["model_sweep", "model_greedy", "absent_sweep", "absent_greedy"])
    #expect(rows.map { $0["error"] == nil } == [true, true, false, false])
    #expect(try String(contentsOf: folder["batch/summary.md"], encoding: .utf8).contains(#"| model\_greedy |"#))
    // The same search alone.
    try await laserSucceeds(workshop.search(out: "alone", ranks: "8,4", more: ["--strategy", "greedy"]))
    #expect(
      try String(contentsOf: folder["alone/plan.yaml"], encoding: .utf8)
        == String(contentsOf: folder["batch/model_greedy/plan.yaml"], encoding: .utf8))
  }

  // MARK: What decides nothing

  @Test func memoryAndCachedSpectraChangeNothing() async throws {
    try await laserSucceeds(workshop.search(out: "whole"))
    let whole = try RunFiles(folder["whole"])
    let refusal = try await laser(workshop.search(out: "small", more: ["--memory", "1K"]))
    #expect(refusal.status == 1 && refusal.output.isEmpty)
    let advice = try #require(refusal.error.firstMatch(of: /memory of 1M is too small .*; give at least (\d+M)\n$/))
    try await laserSucceeds(workshop.search(out: "small", more: ["--memory", String(advice.1)]))
    #expect(try RunFiles(folder["small"]) == whole)
    #expect(try contents(of: folder["small"]).keys.allSatisfy { !$0.contains("scratch") })
    // Continued with and without the spectra that the first session left, and with a torn last line.
    let journal = try Data(contentsOf: folder["whole/journal.jsonl"])
    let ends = journal.indices.filter { journal[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    let spectra = try Data(contentsOf: folder["whole/spectra.jsonl"])
    for left in [spectra, Data(), spectra.dropLast(100)] {
      try journal.prefix(upTo: ends[ends.count / 2]).write(to: folder["whole/journal.jsonl"])
      try left.write(to: folder["whole/spectra.jsonl"])
      try await laserSucceeds(workshop.search(out: "whole"))
      #expect(try RunFiles(folder["whole"]) == whole)
      #expect(try Data(contentsOf: folder["whole/spectra.jsonl"]) == spectra)
    }
  }
}
