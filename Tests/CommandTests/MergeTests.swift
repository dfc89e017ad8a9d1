import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// The merge command, from posy's parents to a model that the other commands take.
struct MergeTests {
  private let folder: TemporaryFolder
  private var out: String { folder.path("merged") }
  private static let recipe = Posy.folder.appending(path: "merge.yaml").path

  init() throws { folder = try TemporaryFolder() }

  /// The merged model scores as the embedded one, which another program merged.
  @Test func aMergeIsAModel() async throws {
    let merge = try await laserSucceeds(["merge", Self.recipe, "--out", out, "--shard-size", "2M", "--json"])
    let json = try merge.json
    #expect(
      Set(json.keys) == [
        "out", "experts", "experts_per_token", "gate_mode", "parameters", "bytes", "files", "gate_conditions",
        "seconds",
      ])
    #expect(json["out"]?.string == out && json["parameters"]?.integer == 4_067_968)
    #expect(json["experts"]?.array?.map(\.string) == ["tales", "novels", "essays", "plays"].map { "parents/\($0)" })
    #expect(json["files"]?.array?.count == 4 && json["gate_conditions"]?.array?.count == 6)
    func perplexity(_ model: String) async throws -> Double {
      let text = Posy.text("tales.search")
      let run = try await laserSucceeds(["perplexity", model, "--text", text, "--context", "64", "--json"])
      return try #require(try run.json["corpora"]?.array?.first?["perplexity"]?.number)
    }
    let (mine, theirs) = (try await perplexity(out), try await perplexity(Posy.model))
    // Routers may differ by one step of bf16.
    #expect(abs(mine / theirs - 1) < 1e-4)
  }

  @Test func textForPeople() async throws {
    let run = try await laserSucceeds(["merge", Self.recipe, "--out", out])
    #expect(run.output.contains("4 experts, 2 active: 4 067 968 parameters, 8.1 MB in one file"))
    #expect(run.output.contains("Condition of the routers, by layer: 1.3 to 2.3.") && run.output.contains(out))
  }

  @Test func promptsThatAreTooMuchAlikeAreNoted() async throws {
    let yaml = """
      base_model: \(Posy.base)
      experts:
      - source_model: \(Posy.base)
        positive_prompts: [The king said]
      - source_model: \(Posy.base)
        positive_prompts: [The king has said]
      """
    try Data(yaml.utf8).write(to: folder["alike.yaml"])
    let run = try await laserSucceeds(["merge", folder.path("alike.yaml"), "--out", out])
    #expect(run.output.contains("can hardly tell the experts apart"))
  }

  @Test func badConfigurationsAreNamed() async throws {
    try Data("base_model: nowhere\nexperts:\n- source_model: x\n  positive_prompts: [y]\n".utf8)
      .write(to: folder["a.yaml"])
    try Data("base_model: base\nexpertise: 1\n".utf8).write(to: folder["b.yaml"])
    try await expectFailure(["merge", folder.path("none.yaml"), "--out", out], naming: ["none.yaml"])
    try await expectFailure(
      ["merge", folder.path("a.yaml"), "--out", out], naming: ["a.yaml", "experts_per_token", "1 experts"])
    try await expectFailure(["merge", folder.path("b.yaml"), "--out", out], naming: ["b.yaml", "expertise"])
    try Data("base_model: nowhere\nexperts_per_token: 1\nexperts:\n- source_model: x\n  positive_prompts: [y]\n".utf8)
      .write(to: folder["a.yaml"])
    try await expectFailure(
      ["merge", folder.path("a.yaml"), "--out", out], naming: ["base_model", folder.path("nowhere")])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["a.yaml", "b.yaml"])
  }

  @Test func nothingThatIsNeededIsWrittenOver() async throws {
    try await laserSucceeds(["merge", Self.recipe, "--out", out])
    let before = try contents(of: folder["merged"])
    try await expectFailure(["merge", Self.recipe, "--out", out], naming: [out, "--force"])
    #expect(try contents(of: folder["merged"]) == before)
    try await laserSucceeds(["merge", Self.recipe, "--out", out, "--force"])
    #expect(try contents(of: folder["merged"]) == before)
    try await expectFailure(["merge", Self.recipe, "--out", Posy.base, "--force"], naming: [Posy.base])
  }
}

/// Another number of experts for each token than the configuration's.
struct ExpertsPerTokenTests {
  private let workshop: Workshop

  init() throws { workshop = try Workshop() }

  @Test func oneNumber() async throws {
    let plain = try await laserSucceeds(workshop.perplexity("model", workshop.searchTexts)).json
    func with(_ count: String) async throws -> JSON {
      try await laserSucceeds(workshop.perplexity("model", workshop.searchTexts) + ["--experts-per-token", count]).json
    }
    func nlls(_ json: JSON) -> [Double?] { json["corpora"]?.array?.map { $0["nll"]?.number } ?? [] }
    let (one, two) = (try await with("1"), try await with("2"))
    #expect(nlls(two) == nlls(plain) && nlls(one) != nlls(plain) && nlls(one).count == 2)
    #expect(one["experts_per_token"]?.integer == 1 && plain["experts_per_token"] == nil)
    let sweep = try await with("1-2")
    #expect(sweep["experts_per_token"]?.integer == 2)
    #expect(sweep["results"]?.array?.map(nlls) == [nlls(one), nlls(two)])
  }

  @Test func aTableOfSeveral() async throws {
    let run = try await laserSucceeds(
      ["perplexity", workshop.model, "--context", "32", "--experts-per-token", "2,1", "--text"] + workshop.searchTexts)
    let lines = run.output.split(separator: "\n")
    #expect(lines.count == 4 && lines[0].contains("all text"))
    #expect(lines[1].hasPrefix("  2 ") && lines[2].hasPrefix("  1 ") && lines[3].contains("The configuration has 2."))
  }

  @Test func comparedWithItself() async throws {
    let run = try await laserSucceeds(
      ["compare", workshop.model, workshop.model, "--json", "--context", "32", "--experts-per-token", "2,1", "--text"]
        + workshop.searchTexts)
    let models = try #require(try run.json["models"]?.array)
    #expect(models.map { $0["experts_per_token"]?.integer } == [2, 1])
    #expect(models[0]["nll"]?.number != models[1]["nll"]?.number)
  }

  @Test func numbersThatTheModelCannotHave() async throws {
    try await expectFailure(
      workshop.perplexity("model", workshop.searchTexts) + ["--experts-per-token", "1-3"],
      naming: ["3 experts per token", "2 experts"])
    try await expectFailure(
      ["perplexity", Posy.base, "--text", Posy.text("tales.search"), "--experts-per-token", "1"], naming: ["dense"])
  }
}
