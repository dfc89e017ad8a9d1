import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

struct PerplexityTests {
  private static let texts = ["tales.search", "plays.search"].map(Posy.text)

  @Test func threadsDoNotChangeTheScore() async throws {
    var scores: [[[Double?]]?] = []
    for threads in ["1", "2", "3"] {
      let run = try await laserSucceeds(
        ["perplexity", Posy.model, "--json", "--context", "256", "--threads", threads, "--text"] + Self.texts)
      scores.append(try run.json["corpora"]?.array?.map { [$0["nll"]?.number, $0["standard_error"]?.number] })
    }
    #expect(scores[0] != nil && scores[0] == scores[1] && scores[1] == scores[2])
  }

  @Test(
    arguments: [
      ("windows", nil), ("strided", 16), ("strided", nil), ("llama.cpp", nil),
    ] as [(String, Int?)])
  func jsonHasTheContractsKeys(_ convention: String, _ stride: Int?) async throws {
    let arguments =
      ["perplexity", Posy.model, "--json", "--context", "64", "--convention", convention, "--text"] + Self.texts
      + (stride.map { ["--stride", "\($0)"] } ?? [])
    let run = try await laserSucceeds(arguments)
    let json = try run.json
    var keys: Set = ["model", "convention", "context", "corpora", "seconds", "tokens_per_second"]
    if convention == "strided" { keys.insert("stride") }
    #expect(Set(json.keys) == keys)
    #expect(json["model"]?.string == Posy.model)
    #expect(json["convention"]?.string == convention)
    #expect(json["context"]?.integer == 64)
    #expect(json["stride"]?.integer == (convention == "strided" ? stride ?? 32 : nil))
    let corpora = try #require(json["corpora"]?.array)
    #expect(corpora.map { $0["text"]?.string } == Self.texts)
    for corpus in corpora {
      #expect(Set(corpus.keys) == ["text", "tokens", "scored_tokens", "nll", "perplexity", "standard_error"])
      let nll = try #require(corpus["nll"]?.number)
      #expect(corpus["perplexity"]?.number == exp(nll))
      let (tokens, scored) = (try #require(corpus["tokens"]?.integer), try #require(corpus["scored_tokens"]?.integer))
      switch convention {
      case "windows": #expect(scored == tokens / 64 * 63)
      case "strided": #expect(scored == tokens - 1)
      default: #expect(scored == tokens / 64 * 31)
      }
    }
    let speed = try #require(json["tokens_per_second"]?.number) * #require(json["seconds"]?.number)
    let scored = corpora.reduce(0) { $0 + ($1["scored_tokens"]?.integer ?? 0) }
    #expect(abs(speed - Double(scored)) < 1e-6 * Double(scored))
  }

  @Test func tableOfEveryText() async throws {
    let run = try await laserSucceeds(["perplexity", Posy.model, "--context", "64", "--text"] + Self.texts)
    let lines = run.output.split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines[0].split(separator: " ") == ["text", "tokens", "scored", "nll", "perplexity"])
    #expect(lines[1].contains("tales.search.txt") && lines[2].contains("plays.search.txt"))
    #expect(lines[3].contains("Convention windows, context 64;"))
  }

  /// One window gives no idea of its error, and JSON has no infinity.
  /// A context beyond the positions that a model was made for is measured, and said.
  @Test func aContextBeyondThePositionsIsSaid() async throws {
    for (context, isSaid) in [("512", false), ("600", true)] {
      let run = try await laserSucceeds(
        ["perplexity", Posy.model, "--context", context, "--text", Self.texts[0]])
      #expect(run.error.contains("made for 512 positions; in a context of \(context)") == isSaid, "\(run.error)")
    }
  }

  @Test func oneWindowHasNoStandardError() async throws {
    let workshop = try Workshop()
    try Data("One line of words that is long enough for a window of eight.".utf8).write(to: workshop.folder["line.txt"])
    let run = try await laserSucceeds([
      "perplexity", workshop.model, "--text", workshop.folder.path("line.txt"), "--context", "14", "--json",
    ])
    let corpus = try #require(try run.json["corpora"]?.array?.first)
    #expect(corpus["scored_tokens"]?.integer == 13)
    #expect(corpus["standard_error"] == nil)
  }

  /// JSON has no infinity, tables have; a ratio of two such perplexities is a number all the same.
  @Test func aPerplexityBeyondDoubles() async throws {
    var tiny = Workshop.tinyModel()
    tiny.enlarge("lm_head.weight")
    let workshop = try Workshop(tiny)
    let run = try await laserSucceeds(workshop.perplexity("model", workshop.searchTexts))
    let json = try run.json
    for corpus in try #require(json["corpora"]?.array) {
      #expect(try #require(corpus["nll"]?.number) > 710)
      #expect(corpus["perplexity"]?.isNull == true)
    }
    let table = try await laserSucceeds(
      ["perplexity", workshop.model, "--context", "32", "--text", workshop.searchTexts[0]])
    #expect(table.output.contains("∞"))
    let compared = try await laserSucceeds(
      ["compare", workshop.model, workshop.model, "--json", "--context", "32", "--text", workshop.searchTexts[0]])
    #expect(try compared.json["perplexity_ratio"]?.number == 1)
    // A search ends, its files are written, and read again.
    try await laserSucceeds(workshop.search(out: "run", ranks: "8"))
    let report = try JSON(parsing: Array(Data(contentsOf: workshop.folder["run/report.json"])))
    #expect(report["held_out"]?["baseline"]?["perplexity"]?.isNull == true)
    try await laserSucceeds(["report", workshop.folder.path("run")])
    try await laserSucceeds([
      "apply", workshop.model, "--plan", workshop.folder.path("run/plan.yaml"), "--out", workshop.folder.path("out"),
    ])
  }

  @Test func verboseNamesTheLibraryAndQuietSaysNothing() async throws {
    let workshop = try Workshop()
    let arguments = workshop.perplexity("model", workshop.searchTexts)
    let verbose = try await laserSucceeds(arguments + ["--verbose", "--threads", "1"])
    #expect(verbose.error.contains("kernels:") && verbose.error.contains("1 thread"))
    _ = try verbose.json
    #expect(try await laserSucceeds(arguments + ["--quiet"]).error.isEmpty)
  }
}
