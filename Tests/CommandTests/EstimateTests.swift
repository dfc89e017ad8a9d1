import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// What a search will take, said before it begins.
struct EstimateTests {
  private static let texts = ["--text", Posy.text("tales.search"), "--held-out", Posy.text("tales.heldout")]

  private func estimate(_ more: [String]) async throws -> LaserRun {
    try await laserSucceeds(["estimate", Posy.model] + Self.texts + ["--context", "256", "--json"] + more)
  }

  @Test(arguments: ["filters", "sweep", "noise-edge"])
  func countsAreThoseOfTheFiles(_ strategy: String) async throws {
    let found = try await estimate(["--strategy", strategy, "--layers", "4-5", "--roles", "w1,w2"]).json
    #expect(found["matrices"]?.integer == 2 * 4 * 2)
    let tokens = try await laserSucceeds(["tokenize", Posy.model, "--json", Self.texts[0], Self.texts[1]]).json
    let counted = try #require(tokens["texts"]?.array?.first?["tokens"]?.integer)
    // Windows may begin with a token of their own.
    #expect(abs((found["search_tokens"]?.integer ?? 0) - counted) < 300)
    #expect(found["seconds"]?.number ?? 0 > 0 && found["phases"]?.array?.isEmpty == false)
    let sum = found["phases"]?.array?.reduce(0) { $0 + ($1["seconds"]?.number ?? .nan) } ?? 0
    #expect(abs(sum - (found["seconds"]?.number ?? 0)) < 1e-9)
    switch strategy {
    case "sweep": #expect(found["tests"]?.integer == 16 * 5)
    case "noise-edge": #expect(found["tests"]?.integer == 0)
    default: #expect(found["tests"]?.integer ?? 0 > 1)
    }
    let memory = found["memory"]
    let (peak, least) = (memory?["peak"]?.integer ?? 0, memory?["least"]?.integer ?? 0)
    #expect(0 < least && least <= peak && memory?["streams"]?.boolean == false)
    #expect(found["disk"]?["checkpoint"]?.integer ?? 0 > 1 << 20)
  }

  @Test func littleMemoryIsSaid() async throws {
    let plenty = try await estimate(["--layers", "5"]).json["memory"]
    let least = try #require(plenty?["least"]?.integer)
    let little = try await estimate(["--layers", "5", "--memory", "\(least)"]).json["memory"]
    #expect(little?["streams"]?.boolean == true)
    #expect(little?["peak"]?.integer ?? .max <= least)
    try await expectFailure(
      ["estimate", Posy.model] + Self.texts + ["--context", "256", "--memory", "1M"], naming: ["too small", "at least"])
  }

  /// A budget bounds the time, but not that of confirming.
  @Test func aBudgetBoundsIt() async throws {
    let found = try await estimate(["--strategy", "sweep", "--budget", "1s"]).json
    let phases = found["phases"]?.array ?? []
    let bounded = phases.filter { $0["name"]?.string != "confirming" }.reduce(0) { $0 + ($1["seconds"]?.number ?? 0) }
    #expect(bounded <= 1.000001 && phases.count == 3)
    let few = try await estimate(["--strategy", "sweep", "--budget", "7"]).json
    #expect(few["tests"]?.integer == 7)
  }

  /// Nothing is written where it is asked.
  @Test func nothingIsLeftBehind() async throws {
    let folder = try TemporaryFolder()
    let arguments = ["estimate", Posy.model] + Self.texts + ["--layers", "5", "--context", "256"]
    let run = try await laser(arguments, shell: "cd '\(folder.url.path)'")
    #expect(run.status == 0, "\(run.error)")
    for words in ["time", "about", "memory", "disk", "weighing directions", "confirming"] {
      #expect(run.output.contains(words), "\(words)\n\(run.output)")
    }
    #expect(try contents(of: folder.url).isEmpty)
  }
}
