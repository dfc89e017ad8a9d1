import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// `laser inspect` and `laser spectrum`.
struct InspectionTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  private func lines(_ output: String) -> [Substring] { output.split(separator: "\n") }

  @Test func inspectFitsAScreen() async throws {
    let run = try await laserSucceeds(["inspect", Posy.model])
    #expect(lines(run.output).count < 20)
    #expect(lines(run.output).dropFirst().allSatisfy { $0.count <= 80 }, "all but the path that was given")
    for words in [
      "MixtralForCausalLM", "4, 2 of them work on a token", "4.1 M, 2.4 M active", "BF16, 8.1 MB in 1 file",
      "2 048 tokens, texts begin with <s>", "96 can be reduced",
    ] {
      #expect(run.output.contains(words), "\(words)\n\(run.output)")
    }
    let dense = try await laserSucceeds(["inspect", Posy.base])
    #expect(dense.output.contains("none, a dense model") && !dense.output.contains("active"))
  }

  @Test func inspectCountsWhatThereIs() async throws {
    let json = try await laserSucceeds(["inspect", workshop.model, "--json"]).json
    let sites = try #require(json["sites"]?.array)
    #expect(sites.count == 2 * (4 + 2 * 3))
    #expect(json["types"]?["BF16"]?.integer == sites.count)
    let parameters = try #require(json["parameters"]?.integer)
    // Both of two experts work on every token.
    #expect(json["active_parameters"]?.integer == parameters)
    #expect(json["bytes"]?.integer == 2 * parameters)
    #expect(json["fingerprint"]?.string == (try workshop.fingerprint()))
    #expect(json["routing"] == nil)
    let list = try await laserSucceeds(["inspect", workshop.model, "--sites"])
    #expect(lines(list.output).count { $0.hasSuffix("BF16") } == sites.count)
    // A model whose tokenizer is missing is still shown.
    try FileManager.default.removeItem(at: folder["model/tokenizer.json"])
    #expect(try await laserSucceeds(["inspect", workshop.model]).output.contains("none that can be used"))
  }

  @Test func inspectFollowsATextThroughTheRouter() async throws {
    let arguments = ["inspect", workshop.model, "--context", "32", "--text"] + workshop.searchTexts
    let json = try await laserSucceeds(arguments + ["--json"]).json
    let texts = try #require(json["routing"]?.array)
    #expect(texts.count == 2)
    for text in texts {
      let layers = try #require(text["layers"]?.array)
      #expect(layers.count == 2)
      for layer in layers {
        let shares = try #require(layer["experts"]?.array).compactMap { $0["share"]?.number }
        #expect(shares.count == 2 && abs(shares.reduce(0, +) - 1) < 1e-9)
      }
    }
    let table = try await laserSucceeds(arguments)
    #expect(table.output.contains("Share of the router's choices"))
    try await expectFailure(["inspect", Posy.base, "--text"] + workshop.searchTexts, naming: ["dense"])
  }

  @Test func spectrumAgreesWithItself() async throws {
    let arguments = ["spectrum", workshop.model, "--layers", "1", "--experts", "0", "--roles", "down_proj,q_proj"]
    let json = try await laserSucceeds(arguments + ["--json"]).json
    let sites = try #require(json["sites"]?.array)
    #expect(sites.map { $0["role"]?.string } == ["q_proj", "w2"])
    for site in sites {
      let values = try #require(site["singular_values"]?.array).compactMap(\.number)
      #expect(values.count == 16 && values == values.sorted(by: >))
      let energy = values.map { $0 * $0 }
      let half = try #require(site["energy_ranks"]?["0.5"]?.integer)
      let total = energy.reduce(0, +)
      #expect(energy.prefix(half).reduce(0, +) >= total / 2 && energy.prefix(half - 1).reduce(0, +) < total / 2)
      let effective = try #require(site["effective_rank"]?.number)
      let shares = values.map { $0 / values.reduce(0, +) }
      #expect(abs(effective - exp(-shares.reduce(0) { $0 + $1 * log($1) })) < 1e-9)
      let edge = try #require(site["noise_edge"]?.number)
      #expect(site["rank_above_noise"]?.integer == values.count { $0 > edge })
    }
    let table = try await laserSucceeds(arguments)
    #expect(lines(table.output).allSatisfy { $0.count <= 80 })
    #expect(table.output.contains("1 e0 w2"))
  }

  @Test func spectrumDrawsAndRefuses() async throws {
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "base")
    let arguments = ["spectrum", workshop.model, "--base", folder.path("base")]
    let drawn = try await laserSucceeds(arguments + ["--svg", folder.path("a.svg"), "--threads", "1"])
    #expect(try await laserSucceeds(arguments + ["--svg", folder.path("b.svg")]).output == drawn.output)
    let svg = try String(contentsOf: folder["a.svg"], encoding: .utf8)
    #expect(svg.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\""))
    #expect(try svg == String(contentsOf: folder["b.svg"], encoding: .utf8))
    try await expectFailure(["spectrum", workshop.model, "--layers", "7"], naming: ["layer 7"])
    #expect(try await laser(["spectrum", workshop.model, "--roles", "w9"]).status == 64)
    #expect(try await laser(["spectrum"]).status == 64)
    #expect(try await laser(["inspect"]).status == 64)
  }
}
