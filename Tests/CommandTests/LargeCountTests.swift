import CheckpointFixtures
import Foundation
import Testing

/// Models with far more layers or experts than any that is published go through every command: nothing may cost the square
/// of their number.
@Suite struct LargeCountTests {
  @Test(arguments: [(layers: 1000, experts: 1), (layers: 1, experts: 1000)])
  func everyCommandEnds(_ counts: (layers: Int, experts: Int)) async throws {
    var tiny = TinyModel(
      vocabularySize: 2048, intermediateSize: 8, layers: counts.layers, experts: counts.experts)
    tiny.configuration["num_experts_per_tok"] = "1"
    let workshop = try Workshop(tiny)
    let folder = workshop.folder
    func run(_ arguments: String...) async throws { _ = try await laserSucceeds(arguments) }
    let (text, heldOut) = (folder.path("a.txt"), folder.path("b.txt"))
    for (path, source) in [(text, workshop.searchTexts[0]), (heldOut, workshop.heldOutTexts[0])] {
      let whole = try String(contentsOfFile: source, encoding: .utf8)
      try Data(whole.prefix(700).utf8).write(to: URL(filePath: path))
    }
    let model = workshop.model
    try await run("inspect", model, "--text", text, "--context", "32")
    try await run("perplexity", model, "--text", text, "--context", "32")
    try await run("compare", model, model, "--text", text, "--context", "32")
    try await run("spectrum", model)
    try await run("generate", model, "--prompt", "Once", "--tokens", "4")
    try await run("estimate", model, "--text", text, "--context", "32")
    let out = folder.path("run")
    try await run(
      "search", model, "--text", text, "--held-out", heldOut, "--context", "32", "--out", out, "--roles", "w1,w2,w3")
    try await run("report", out)
    try await run("status", out)
    try await run("apply", model, "--plan", out + "/plan.yaml", "--out", folder.path("copy"))
    try await run("convert", model, "--out", folder.path("model.gguf"))
    try await run("perplexity", folder.path("model.gguf"), "--text", text, "--context", "32")
    try await run("convert", folder.path("model.gguf"), "--out", folder.path("again"))
  }
}
