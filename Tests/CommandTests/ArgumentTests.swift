import Foundation
import Testing

/// What is refused before any file is opened, and what needs none.
struct ArgumentTests {
  private static let search = ["search", "model", "--text", "a.txt", "--held-out", "b.txt", "--out", "run"]

  @Test(arguments: [
    ["perplexity"], ["perplexity", "model"], ["perplexity", "--text", "a.txt"], ["perplexity", "model", "--text"],
    ["perplexity", "model", "--text", "a.txt", "--convention", "chunks"],
    ["perplexity", "model", "--text", "a.txt", "--context", "1"],
    ["perplexity", "model", "--text", "a.txt", "--context", "x"],
    ["perplexity", "model", "--text", "a.txt", "--stride", "8"],
    ["perplexity", "model", "--text", "a.txt", "--convention", "strided", "--stride", "0"],
    ["perplexity", "model", "--text", "a.txt", "--convention", "strided", "--context", "8", "--stride", "9"],
    ["perplexity", "model", "--text", "a.txt", "--threads", "0"],
    ["perplexity", "model", "--text", "a.txt", "--quiet", "--verbose"],
    ["perplexity", "model", "--text", "a.txt", "--unknown"],
    search + ["--ranks", "0.5,x"], search + ["--ranks", "1.5"],
    search + ["--ranks", "-1"],
    search + ["--ranks", ""], search + ["--ranks", "0.5,"], search + ["--ranks", "nan"], search + ["--roles", "w4"],
    search + ["--roles", ""], search + ["--layers", "5-"], search + ["--layers", "5-3"], search + ["--layers", ""],
    search + ["--layers", "-1"], search + ["--layers", "99999999999999999999"], search + ["--experts", "one"],
    search + ["--confidence", "2"], search + ["--confidence", "0.4"], search + ["--confidence", "nan"],
    search + ["--fdr", "0"], search + ["--fdr", "1.1"], ["search", "model", "--out", "run"],
    ["search", "model", "--held-out", "a.txt", "--out", "run"], ["search", "model", "--text", "a", "--held-out", "b"],
    ["apply", "model"], ["apply", "model", "--plan", "p"], ["apply", "--plan", "p", "--out", "o"], ["run"], ["report"],
    ["convert", "model"], ["convert", "model", "--out", "o.gguf", "--type", "q3"],
    ["apply", "m", "--plan", "p", "--out", "o", "--to", "safetensors"],
    ["apply", "m", "--plan", "p", "--out", "o", "--type", "f16"],
    ["apply", "m", "--plan", "p", "--out", "o.gguf", "--to", "gguf", "--reduced-type", "f16"],
    ["merge"], ["merge", "m.yaml"], ["merge", "m.yaml", "--out", "o", "--shard-size", "0"],
    ["merge", "m.yaml", "--out", "o", "--shard-size", "5X"], ["merge", "m.yaml", "--out", "o", "--seed", "-1"],
    ["perplexity", "model", "--text", "a.txt", "--experts-per-token", "0"],
    ["perplexity", "model", "--text", "a.txt", "--experts-per-token", "2-1"],
    ["compare", "a", "b", "--text", "a.txt", "--experts-per-token", "1-3"],
    ["frobnicate"], search + ["--ranks", "energy:0.0"], ["help", "frobnicate"],
    ["run", "a.yaml", "--list", "--member", "1"], ["run", "a.yaml", "--summarize", "--list"],
    ["run", "a.yaml", "--member", "one"], ["run", "a.yaml", "--member", ""],
    ["run", "a.yaml", "--strategy", "guess"], ["run", "a.yaml", "--name", "none"],
  ])
  func badArgumentsExitWith64(_ arguments: [String]) async throws {
    let run = try await laser(arguments)
    #expect(run.status == 64, "\(run.error)")
    #expect(run.output.isEmpty)
    #expect(run.error.hasPrefix("Error: "), "\(run.error)")
  }

  /// What was probably meant is said, also where something is missing besides.
  @Test(arguments: [
    (["serach", "model"], "did you mean search?"), (["help", "sarch"], "did you mean search?"),
    (["search", "model", "--txt", "a.txt"], "did you mean --text?"),
    (["search", "model", "--text", "a.txt", "--out", "b", "--strategy", "swep"], "did you mean sweep?"),
    (["perplexity", "model", "--text", "a.txt", "--treads=2"], "did you mean --threads?"),
    (search + ["--layers=-1"], "\"-1\": numbers count from 0"), (search + ["--layers", "-1"], "numbers count from 0"),
  ])
  func misspellings(_ arguments: [String], _ words: String) async throws {
    let run = try await laser(arguments)
    #expect(run.status == 64 && run.output.isEmpty && run.error.contains(words), "\(run.error)")
  }

  @Test func version() async throws {
    let run = try await laserSucceeds(["--version"])
    #expect(run.output.wholeMatch(of: /[0-9]+\.[0-9]+\.[0-9]+\n/) != nil)
    #expect(run.error.isEmpty)
  }

  @Test(arguments: [
    "", "perplexity", "search", "run", "apply", "report", "inspect", "spectrum", "merge", "convert", "status",
    "estimate", "doctor",
  ])
  func help(
    _ command: String
  )
    async throws
  {
    let run = try await laserSucceeds((command.isEmpty ? [] : [command]) + ["--help"])
    #expect(run.output.contains("USAGE: laser \(command)"))
    #expect(run.error.isEmpty)
  }
}
