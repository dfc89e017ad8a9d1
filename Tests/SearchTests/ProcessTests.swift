import Evaluation
import Foundation
import Models
import Processes
import RankReduction
import Search
import Testing
import ThreadProcesses
import Tokenization

/// Processes that work together find what one finds, to the bit.
@Suite struct ProcessTests {
  private static let posy = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/runs/posy"

  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "laser-processes-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func settings(_ set: (inout SearchSettings) -> Void) throws -> SearchSettings {
    var settings = SearchSettings()
    settings.model = Self.posy + "/model"
    settings.text = try ["tales.search", "plays.search"].map(excerpt)
    settings.heldOut = [try excerpt("tales.heldout")]
    settings.context = 48
    settings.layers = IndexList("4-5") ?? .all
    set(&settings)
    return settings
  }

  private func excerpt(_ name: String) throws -> String {
    let text = try String(contentsOfFile: Self.posy + "/text/\(name).txt", encoding: .utf8)
    let path = folder.appending(path: "\(name).txt").path
    try Data(text.prefix(2600).utf8).write(to: URL(filePath: path))
    return path
  }

  /// What a journal says, apart from times.
  private func journal(_ run: String) throws -> [String] {
    try String(contentsOf: folder.appending(path: "\(run)/journal.jsonl"), encoding: .utf8).split(separator: "\n").map {
      String($0).replacing(/"(seconds|started)":("[^"]*"|[-0-9.e]+)/, with: "")
    }
  }

  private func bytes(_ run: String, _ name: String) throws -> Data {
    try Data(contentsOf: folder.appending(path: "\(run)/\(name)"))
  }

  /// Runs a search by one process and by several, which must leave the same files.
  private func expectSame(
    _ settings: SearchSettings, files: [String], counts: [Int] = [2, 3], memory: Int = 1 << 32
  ) async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    for count in [1] + counts {
      let path = folder.appending(path: "run\(count)").path
      let outcomes = await ThreadTransport.run(count) { group in
        let search = try Search(settings, program: "test", processes: group)
        return try search.run(in: path, memory: memory) { _ in } != nil
      }
      #expect(try outcomes.map { try $0.get() } == (0..<count).map { $0 == 0 }, "the first has the outcome")
      #expect(try journal("run\(count)") == journal("run1"), "\(count) processes")
      for file in files {
        #expect(try bytes("run\(count)", file) == bytes("run1", file), "\(file), \(count) processes")
      }
    }
    #expect(try !journal("run1").isEmpty)
  }

  @Test func filters() async throws {
    try await expectSame(
      settings { _ in }, files: ["plan.yaml", "plan.safetensors", "spectra.jsonl", "directions.jsonl"],
      counts: [2, 3, 5])
  }

  /// Sites one after another, with gradients put aside, and a second round.
  @Test func filtersInLittleMemoryRelativeToABase() async throws {
    try await expectSame(
      settings { settings in
        settings.base = Self.posy + "/base"
        settings.rounds = 2
        settings.layers = IndexList("5") ?? .all
      }, files: ["plan.yaml", "spectra.jsonl", "directions.jsonl"], memory: 84 << 20)
  }

  @Test func sweepThatStopsEarly() async throws {
    try await expectSame(
      settings { settings in
        settings.strategy = .sweep
        settings.context = 24
        settings.layers = IndexList("5") ?? .all
        (settings.confidence, settings.falseDiscoveryRate) = (0.6, 1)
      }, files: ["plan.yaml", "spectra.jsonl"])
  }

  @Test func greedy() async throws {
    try await expectSame(
      settings { settings in
        settings.strategy = .greedy
        settings.layers = IndexList("5") ?? .all
        settings.roles = [.w1]
        (settings.confidence, settings.falseDiscoveryRate) = (0.6, 1)
      }, files: ["plan.yaml"])
  }

  /// More processes than windows of some rounds, and than sites.
  @Test func moreThanThereIsToDo() async throws {
    try await expectSame(
      settings { settings in
        settings.strategy = .sweep
        settings.context = 128
        settings.layers = IndexList("5") ?? .all
        settings.roles = [.w2]
        settings.ranks = [.fraction(0.5), .fraction(0.1)]
      }, files: ["plan.yaml"], counts: [11])
  }

  /// Some have no window that judges; in little memory, some run theirs in more groups than others.
  @Test func filtersOfFewWindows() async throws {
    try await expectSame(
      settings { settings in
        settings.context = 128
        settings.layers = IndexList("5") ?? .all
      }, files: ["plan.yaml", "plan.safetensors", "directions.jsonl"], counts: [3, 7], memory: 84 << 20)
  }

  /// A search goes on with another number of processes from where it was.
  @Test func continuedByOthers() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let settings = try settings { settings in
      settings.strategy = .sweep
      settings.layers = IndexList("5") ?? .all
      (settings.confidence, settings.falseDiscoveryRate) = (0.6, 1)
    }
    struct Stopped: Error {}
    func run(_ name: String, _ count: Int, trials: Int) async -> [Result<Bool, any Error>] {
      let path = folder.appending(path: name).path
      return await ThreadTransport.run(count) { group in
        try Search(settings, program: "test", processes: group).run(in: path, memory: 1 << 32) { event in
          if case .trial(let trial, _) = event, trial.number == trials { throw Stopped() }
        } != nil
      }
    }
    _ = await run("whole", 1, trials: .max)
    for (count, trials) in [(3, 4), (1, 9), (2, 20), (4, .max)] { _ = await run("parts", count, trials: trials) }
    #expect(try journal("parts") == journal("whole"))
    #expect(try bytes("parts", "plan.yaml") == bytes("whole", "plan.yaml"))
  }

  /// Another text on one of the hosts.
  @Test func otherInputsAreRefused() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let settings = try settings { _ in }
    var other = settings
    other.text[0] = try excerpt("essays.search")
    let path = folder.appending(path: "run").path
    let outcomes = await ThreadTransport.run(2) { [other] group in
      _ = try Search(group.isFirst ? settings : other, program: "test", processes: group).run(in: path, memory: 1 << 32)
      {
        _ in
      }
    }
    for outcome in outcomes {
      let error = #expect(throws: (any Error).self) { try outcome.get() }
      #expect("\(try #require(error))".contains("another text than process 0"))
    }
    #expect(!FileManager.default.fileExists(atPath: path), "nothing is written")
  }

  /// Whole models: perplexity, where tokens go, and two models' divergence.
  @Test func scoresAndRoutingAreTheSame() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let settings = try settings { _ in }
    let measured = await [1, 2, 5].asyncMap { count in
      await ThreadTransport.run(count) { group in
        let (model, base) = (try Model(path: Self.posy + "/model"), try Model(path: Self.posy + "/base"))
        var evaluation = try Evaluation(
          settings.text.map { try Corpus(file: $0, tokenizer: Tokenizer(path: Self.posy + "/model")) },
          convention: .windows, context: 48, tokenizer: Tokenizer(path: Self.posy + "/model"))
        evaluation.processes = group
        let (score, routing) = try evaluation.scoreAndRouting(model)
        let comparison = try evaluation.compare(model, base)
        return Measured(
          score: score, routing: routing, divergences: comparison.divergences, mean: comparison.meanDivergence.value)
      }
    }
    let alone = try measured[0][0].get()
    for result in measured.joined() { #expect(try result.get() == alone) }
  }

  private struct Measured: Equatable, Sendable {
    let score: Score
    let routing: [RoutingStatistics]
    let divergences: [Double]
    let mean: Double
  }
}

extension Array {
  fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
    var values: [Value] = []
    for element in self { values.append(try await transform(element)) }
    return values
  }
}
