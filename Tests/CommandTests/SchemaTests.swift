import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// What `--json` prints is what docs/schemas says.
struct SchemaTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }
  private func path(_ name: String) -> String { folder.path(name) }

  init() throws { workshop = try Workshop() }

  /// Runs a command with --json and holds what it prints to a schema.
  @discardableResult
  private func expect(_ schema: String, _ arguments: [String], status: Int32 = 0) async throws -> JSON {
    let run = try await laser(arguments + ["--json"])
    #expect(run.status == status, "\(arguments)\n\(run.error)")
    let json = try run.json
    let problems = try JSONSchema(schema).problems(json)
    #expect(problems.isEmpty, "\(arguments)\n\(problems.joined(separator: "\n"))")
    return json
  }

  @Test func reportsOfEveryKind() async throws {
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "base")
    let base = ["--base", path("base")]
    let sweep = try await expect("report", workshop.search(out: "sweep", more: base))
    #expect(sweep["plan"]?.array?.isEmpty == false && sweep["trials"]?.array?.isEmpty == false)
    #expect(
      try sweep.compact == JSON(parsing: Array(Data(contentsOf: folder["sweep/report.json"]))).compact,
      "the file is the same")
    let few = ["--text"] + workshop.searchTexts + ["--context", "32"]
    let filters = try await expect(
      "report", ["search", workshop.model] + few + ["--confidence", "0.5", "--out", path("filters")])
    #expect(filters["rungs"]?.array?.isEmpty == false && filters["strategy"]?.string == "filters")
    #expect(
      filters["held_out"]?["corpora"]?.array?.first?["name"]?.string == "tales.search.txt, second half")
    try await expect("report", workshop.search(out: "control", ranks: "8", more: base + ["--control"]))
    try await expect("report", ["report", path("sweep")])
  }

  @Test func aBatch() async throws {
    let recipe = """
      model: [model, nowhere]
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      context: 32
      strategy: noise-edge
      out: batch
      """
    try Data(recipe.utf8).write(to: folder["batch.yaml"])
    try await expect("batch-list", ["run", path("batch.yaml"), "--list"])
    let begun = try await expect("batch", ["run", path("batch.yaml"), "--summarize"])
    #expect(begun["searches"]?.array?.first?["state"]?.string == "not_begun")
    // One of the models is not there, so there is an error in the table too.
    let batch = try await expect("batch", ["run", path("batch.yaml")], status: 1)
    let searches = try #require(batch["searches"]?.array)
    #expect(searches.contains { $0["error"] != nil } && searches.contains { $0["report"] != nil })
    try await expect("batch-list", ["run", path("batch.yaml"), "--list"])
  }

  @Test func whatCommandsPrint() async throws {
    let text = ["--text"] + workshop.searchTexts
    let context = ["--context", "32"]
    try await laserSucceeds(workshop.search(out: "run", ranks: "4"))
    let apply = ["apply", workshop.model, "--plan", path("run/plan.yaml"), "--out"]
    try await expect("apply", apply + [path("lasered")])
    try await expect("apply", apply + [path("factored"), "--factored"])
    try await expect("convert", ["convert", workshop.model, "--out", path("model.gguf")])
    try await expect("perplexity", ["perplexity", workshop.model] + text + context)
    try await expect(
      "perplexity", ["perplexity", workshop.model, "--profile", "--convention", "strided"] + text + context)
    try await expect(
      "perplexity-by-experts", ["perplexity", workshop.model, "--experts-per-token", "1-2"] + text + context)
    try await expect("compare", ["compare", workshop.model, path("lasered")] + text + context)
    try await expect("inspect", ["inspect", workshop.model] + text + context)
    try await expect("spectrum", ["spectrum", workshop.model])
    try await expect("spectrum", ["spectrum", workshop.model, "--base", path("lasered")])
    try await expect("tokenize", ["tokenize", workshop.model, "--ids"] + text)
    try await expect("generate", ["generate", workshop.model, "--prompt", "Once", "--tokens", "3"])
    try await expect("status", ["status", path("run")])
    try await expect("estimate", ["estimate", workshop.model] + text + context)
    try await expect("doctor", ["doctor"])
    try await expect(
      "merge", ["merge", Posy.folder.appending(path: "merge.yaml").path, "--out", path("merged")])
  }

  @Test func answersToQuestions() async throws {
    let choices = (0..<6).map { #"{"query": "Number \#($0) is", "choices": ["even", "odd"], "gold": \#($0 % 2)}"# }
    let words = (0..<4).map { #"{"context": "Once upon a", "continuation": "time \#($0)"}"# }
    for (name, lines) in [("choices", choices), ("words", words)] {
      try Data(lines.joined(separator: "\n").utf8).write(to: folder[name + ".jsonl"])
    }
    let questions = ["--questions", path("choices.jsonl"), path("words.jsonl")]
    let scores = try await expect("score", ["score", workshop.model, "--mutual-info", "--answers"] + questions)
    #expect(scores["files"]?.array?.count == 2)
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "other")
    try await expect("compare-questions", ["compare", workshop.model, path("other")] + questions)
    let search = try await expect(
      "report",
      ["search", workshop.model, "--questions", path("choices.jsonl"), "--held-out-questions", path("words.jsonl")]
        + ["--confidence", "0.5", "--out", path("questions")])
    #expect(search["search"]?["baseline"]?["acc"] != nil)
  }

  @Test func errorsAreObjectsToo() async throws {
    let error = try await expect("error", ["inspect", path("nowhere")], status: 1)
    #expect(error["error"]?.string?.contains("nowhere") == true && error["status"]?.integer == 1)
    let usage = try await expect("error", ["inspect"], status: 64)
    #expect(usage["status"]?.integer == 64)
    // People read theirs, with and without.
    #expect(try await laser(["inspect", path("nowhere"), "--json"]).error.hasPrefix("Error: "))
    #expect(try await laser(["inspect", path("nowhere")]).output.isEmpty)
    #expect(try await laser(["inspect", "--help", "--json"]).output.contains("USAGE"))
  }

  @Test func theStatusSaysWhetherTheGainHolds() async throws {
    let search = workshop.search(
      out: "run", ranks: "8", more: ["--layers", "0", "--confidence", "0.999", "--fdr", "0.0001"])
    #expect(try await laser(search).status == 0)
    let report = try await laser(["report", path("run"), "--exit-code", "--json"])
    let verdict = try report.json["verdict"]?.string
    #expect(report.status == (verdict == "holds" ? 0 : 3), "\(verdict ?? "none")")
    #expect(verdict != "holds", "of random weights")
  }

  /// The validator itself finds what is wrong.
  @Test func theValidatorRefuses() throws {
    let schema = try JSONSchema("error")
    func problems(_ text: String) throws -> Int { try schema.problems(JSON(parsing: Array(text.utf8))).count }
    #expect(try problems(#"{"error": "x", "status": 1}"#) == 0)
    #expect(try problems(#"{"error": 1, "status": 1}"#) == 1)
    #expect(try problems(#"{"error": "x", "status": -1, "more": 2}"#) == 2)
    #expect(try problems(#"{"error": "x"}"#) == 1)
    #expect(try problems("[]") == 1)
    #expect(try JSONSchema.names.count == 19, "each of which a test here uses")
  }
}
