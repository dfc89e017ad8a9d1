import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

struct GenerateTests {
  private static let prompt = "Once upon a time"

  private func text(_ more: [String]) async throws -> JSON {
    try await laserSucceeds(["generate", Posy.model, "--prompt", Self.prompt, "--tokens", "24", "--json"] + more).json
  }

  @Test func plainTextBeginsWithThePrompt() async throws {
    let run = try await laserSucceeds(["generate", Posy.model, "--prompt", Self.prompt, "--tokens", "24"])
    let continuations = try #require(await text([])["continuations"]?.array)
    #expect(run.output == Self.prompt + (continuations[0]["text"]?.string ?? "?") + "\n")
    #expect(run.output.count > Self.prompt.count + 20)
    #expect(run.error.contains("stopped at --tokens 24: 24 tokens in "))
  }

  @Test func seedsDecideWhatIsDrawn() async throws {
    func drawn(_ seed: String) async throws -> String? {
      try await text(["--temperature", "1", "--seed", seed])["continuations"]?.array?.first?["text"]?.string
    }
    let first = try await drawn("1")
    #expect(try await drawn("1") == first)
    #expect(try await drawn("2") != first)
    #expect(
      try await text(["--threads", "1"])["continuations"]?.array?.first?["text"]?.string
        == text(["--threads", "2"])["continuations"]?.array?.first?["text"]?.string)
  }

  @Test func twoModelsContinueTheSameText() async throws {
    let continuations = try #require(await text(["--against", Posy.base])["continuations"]?.array)
    #expect(continuations.map { $0["model"]?.string } == [Posy.model, Posy.base])
    #expect(continuations[0]["text"]?.string != continuations[1]["text"]?.string)
    let run = try await laserSucceeds(
      ["generate", Posy.model, "--prompt", Self.prompt, "--tokens", "5", "--against", Posy.base])
    #expect(run.output.contains(Posy.base + "\n" + Self.prompt))
  }

  @Test func refusals() async throws {
    for arguments in [["--temperature", "-1"], ["--top-p", "0"], ["--tokens", "0"], ["--seed", "x"]] {
      #expect(try await laser(["generate", Posy.model, "--prompt", "a"] + arguments).status == 64)
    }
    try await expectFailure(["generate", "/absent", "--prompt", "a"], naming: ["/absent"])
    try await expectFailure(
      ["generate", Posy.model, "--prompt", "a", "--experts-per-token", "9"], naming: ["9 experts"])
  }
}
