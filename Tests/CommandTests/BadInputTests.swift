import CheckpointFixtures
import Foundation
import Testing

/// Damage to a model's folder, found whatever command opens it.
enum BadModel: CaseIterable {
  case absent, truncated, overlapping, wrongShape, unknownType, integerType, notANumber, headerOfTwoToThe63,
    missingTensor
  case missingShard, noTokenizer, tokenizerOfOtherVocabulary, brokenConfiguration, unsupportedModelType

  static let tensor = "model.layers.1.block_sparse_moe.experts.1.w1.weight"

  /// Damages the workshop's model; returns what the error must name.
  func apply(to workshop: Workshop) throws -> [String] {
    let folder = workshop.folder["model"]
    let weights = folder.appending(path: "model.safetensors")
    var tiny = Workshop.tinyModel()
    func change(_ body: (inout TinyTensor) -> Void) throws -> [String] {
      tiny.change(Self.tensor, body)
      try tiny.write(to: folder)
      return [folder.path, Self.tensor]
    }
    switch self {
    case .absent:
      try FileManager.default.removeItem(at: folder)
      return [folder.path]
    case .truncated:
      try Data(contentsOf: weights).dropLast(100).write(to: weights)
      return [weights.path, "tensor"]
    case .overlapping:
      let header =
        #"{"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}, "b": {"dtype": "BF16", "shape": [2], "#
        + #""data_offsets": [2, 6]}}"#
      try Data(safetensors(header: header, data: [0, 0, 0, 0, 0, 0])).write(to: weights)
      return [weights.path, "tensor b", "overlap"]
    case .wrongShape: return try change { $0.shape = [16, 24] } + ["[16, 24]", "[24, 16]"]
    case .unknownType: return try change { $0.type = "Q4" } + ["Q4"]
    case .integerType: return try change { $0.type = "I16" } + ["I16"]
    case .notANumber: return try change { $0.bytes.replaceSubrange(10..<12, with: [0xC0, 0x7F]) } + ["NaN"]
    case .headerOfTwoToThe63:
      try Data(littleEndian(1 << 63)).write(to: weights)
      return [weights.path, "9223372036854775808"]
    case .missingTensor:
      tiny.remove(Self.tensor)
      try tiny.write(to: folder)
      return [folder.path, Self.tensor]
    case .missingShard:
      try FileManager.default.removeItem(at: weights)
      try tiny.writeSharded(to: folder)
      try FileManager.default.removeItem(at: folder.appending(path: TinyModel.shardNames[0]))
      return [TinyModel.shardNames[0]]
    case .noTokenizer:
      try FileManager.default.removeItem(at: folder.appending(path: "tokenizer.json"))
      return [folder.path, "tokenizer.json"]
    case .tokenizerOfOtherVocabulary:
      // The text's tokens then reach outside the embedding.
      try TinyModel().write(to: folder)
      return []
    case .brokenConfiguration:
      try Data("{\"model_type\": ".utf8).write(to: folder.appending(path: "config.json"))
      return ["config.json", "byte 15"]
    case .unsupportedModelType:
      tiny.configuration["model_type"] = #""gpt2""#
      try tiny.write(to: folder)
      return ["config.json", "gpt2"]
    }
  }
}

/// One line that says what is wrong and where, exit status 1, and every file as it was.
struct BadInputTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  private func expectRefusal(
    _ arguments: [String], naming words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let before = try contents(of: folder.url)
    try await expectFailure(arguments, naming: words, sourceLocation: sourceLocation)
    #expect(try contents(of: folder.url) == before, sourceLocation: sourceLocation)
  }

  @Test(arguments: BadModel.allCases) func model(_ damage: BadModel) async throws {
    let words = try damage.apply(to: workshop)
    let before = try contents(of: folder.url)
    try await expectFailure(workshop.perplexity("model", workshop.searchTexts), naming: words)
    #expect(try contents(of: folder.url) == before)
    // A search may have begun its run folder by the time it reads weights; the model and the texts stay.
    try await expectFailure(workshop.search(out: "run", more: ["--quiet"]), naming: words)
    let after = try contents(of: folder.url)
    #expect(before.allSatisfy { after[$0.key] == $0.value })
    #expect(after.keys.allSatisfy { before[$0] != nil || ["run/journal.jsonl", "run/spectra.jsonl"].contains($0) })
  }

  // MARK: Texts

  @Test func texts() async throws {
    try Data([0x61, 0xFF, 0x62]).write(to: folder["latin.txt"])
    try Data("short".utf8).write(to: folder["short.txt"])
    try Data().write(to: folder["empty.txt"])
    for (name, reason) in [("latin", "UTF-8"), ("short", "too few"), ("empty", "too few"), ("absent", "No such file")] {
      let path = folder.path("\(name).txt")
      try await expectRefusal(workshop.perplexity("model", [path]), naming: path, reason)
      try await expectRefusal(workshop.search(out: "run", text: [path]), naming: path, reason)
    }
    try await expectRefusal(
      workshop.search(out: "run", text: workshop.heldOutTexts), naming: workshop.heldOutTexts[0], "hold out")
    try await expectRefusal(workshop.perplexity("model", [folder.url.path]), naming: folder.url.path)
  }

  // MARK: Selections

  @Test(arguments: [
    (["--layers", "2"], "layer 2"), (["--layers", "0-999999999"], "layer 999999999"),
    (["--experts", "0,2"], "expert 2"),
    (["--ranks", "17"], "rank 17"),
  ])
  func selections(_ options: [String], _ words: String) async throws {
    try await expectRefusal(workshop.search(out: "run", more: options), naming: words)
  }

  @Test func bases() async throws {
    try workshop.addModel(TinyModel(vocabularySize: 2048, intermediateSize: 32), named: "other")
    try await expectRefusal(
      workshop.search(out: "run", more: ["--base", folder.path("other")]), naming: "base", "32 × 16", "24")
    try await expectRefusal(
      workshop.search(out: "run", more: ["--base", folder.path("absent")]), naming: folder.path("absent"))
    try await expectRefusal(workshop.search(out: "run", more: ["--base", Posy.base]), naming: "base", "layers 6")
  }

  // MARK: Plans

  private func apply(_ plan: String, more: [String] = []) -> [String] {
    ["apply", workshop.model, "--plan", plan, "--out", folder.path("out")] + more
  }

  @Test func plans() async throws {
    let entry = Workshop.entry(rank: 4)
    let other = try workshop.writePlan("other.yaml", of: "0123456789abcdef", entries: [entry])
    try await expectRefusal(apply(other), naming: workshop.model, "another model", "0123456789abcdef", "--any-model")
    let twice = try workshop.writePlan("twice.yaml", entries: [entry, entry])
    try await expectRefusal(apply(twice), naming: "layer 0 expert 0 w1", "twice")
    for (bad, words) in [
      (Workshop.entry(layer: 2, rank: 4), "layer 2 expert 0 w1"), (Workshop.entry(layer: -1, rank: 4), "layer -1"),
      (Workshop.entry(expert: 2, rank: 4), "expert 2"), (Workshop.entry(expert: nil, rank: 4), "layer 0 w1"),
      (Workshop.entry(rank: 17), "rank 17"), (Workshop.entry(rank: -1), "rank -1"),
      (Workshop.entry(role: "w4", rank: 4), "plan.yaml"), (entry.replacing("rank: 4", with: "rank: four"), "plan.yaml"),
      (entry.replacing("kind: weights", with: "kind: delta"), "--base"),
      (entry.replacing("role: w1", with: ""), "role"),
    ] {
      try await expectRefusal(apply(try workshop.writePlan("plan.yaml", entries: [bad])), naming: words)
    }
    for rank in [Int.min, -1, 17, Int.max] {
      let plan = try workshop.writePlan("plan.yaml", entries: [Workshop.entry(rank: rank)])
      for form in ["--factored", "--lora"] {
        try await expectRefusal(apply(plan, more: [form]), naming: "rank \(rank)")
      }
    }
    for text in [
      "", "just words", "[1, 2", "a: [b", "laser_plan: 1\n", "\u{0}", "laser_plan: 3\nmodel: x\nreductions: []\n",
    ] {
      try Data(text.utf8).write(to: folder["plan.yaml"])
      try await expectRefusal(apply(folder.path("plan.yaml")), naming: folder.path("plan.yaml"))
    }
    try await expectRefusal(apply(folder.path("absent.yaml")), naming: folder.path("absent.yaml"))
  }

  @Test func targets() async throws {
    let plan = try workshop.writePlan("plan.yaml", entries: [Workshop.entry(rank: 4)])
    try workshop.addModel(Workshop.tinyModel(seed: 5), named: "out")
    try await expectRefusal(apply(plan), naming: folder.path("out"), "--force")
    for target in [workshop.model, workshop.model + "/inside", folder.url.path] {
      try await expectRefusal(
        ["apply", workshop.model, "--plan", plan, "--force", "--out", target], naming: target, "original")
    }
    try Data("precious".utf8).write(to: folder["thesis.txt"])
    try await expectRefusal(
      ["apply", workshop.model, "--plan", plan, "--force", "--out", folder.path("thesis.txt")],
      naming: folder.path("thesis.txt"), "not a checkpoint")
  }

  // MARK: Recipes and run folders

  @Test func recipes() async throws {
    let good = """
      model: model
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      out: run
      context: 32

      """
    for (text, words) in [
      (good + "rank: 0.5\n", "\"rank\""), (good.replacing("model: model", with: ""), "\"model\""),
      (good + "ranks: [0.5, x]\n", "\"x\""), (good + "confidence: 2\n", "confidence"), (good + "layers: 5-\n", "5-"),
      (good + "convention: chunks\n", "chunks"), (good + "base: {a: b}\n", "\"base\""),
      (good + "context: 32\n", "recipe.yaml"),
      ("", "recipe.yaml"), ("- a\n", "recipe.yaml"), ("a: [", "recipe.yaml"), (good + "context: 1e99\n", "recipe.yaml"),
    ] {
      try Data(text.utf8).write(to: folder["recipe.yaml"])
      try await expectRefusal(["run", folder.path("recipe.yaml")], naming: folder.path("recipe.yaml"), words)
    }
    try await expectRefusal(["run", folder.path("absent.yaml")], naming: folder.path("absent.yaml"))
  }

  /// What a file says is quoted on one line, and not all of it.
  @Test func valuesOfManyLinesAreQuotedOnOne() async throws {
    let long = String(repeating: "x", count: 10_000)
    for value in [#""a\nb\e[2J""#, "|\n  a\n  b", long, #""a\u2028b""#] {
      for key in ["ranks", "strategy", "context", "filter", "layers", "roles", "factored"] {
        let recipe = "model: model\ntext: a\nout: run\ncheckpoint: c\n\(key): \(value)\n"
        try Data(recipe.utf8).write(to: folder["recipe.yaml"])
        let run = try await laser(["run", folder.path("recipe.yaml")])
        #expect(run.status == 1 && run.error.utf8.count < 2000, "\(key)")
        #expect(run.error.count(where: \.isNewline) == 1 && !run.error.contains("\u{1B}"), "\(run.error)")
      }
      let merge = "base_model: \(value)\ngate_mode: \(value)\n"
      try Data(merge.utf8).write(to: folder["merge.yaml"])
      let run = try await laser(["merge", folder.path("merge.yaml"), "--out", folder.path("out")])
      #expect(
        run.status == 1 && run.error.count(where: \.isNewline) == 1 && run.error.utf8.count < 2000, "\(run.error)")
    }
  }

  /// Numbers in a finished run that no search writes are found before they are computed with.
  @Test func damagedRuns() async throws {
    try await laserSucceeds(workshop.search(out: "run"))
    for (name, key) in [
      ("spectra", "rows"), ("spectra", "columns"), ("journal", "rank"), ("journal", "fullRank"), ("journal", "tokens"),
      ("journal", "seconds"),
    ] {
      let file = folder["run/\(name).jsonl"]
      let text = try String(contentsOf: file, encoding: .utf8)
      for number in ["-9223372036854775808", "-1", "9223372036854775807"] {
        let damaged = text.replacing(try Regex("\"\(key)\":[-0-9.e]+"), with: "\"\(key)\":\(number)")
        #expect(damaged != text)
        try Data(damaged.utf8).write(to: file)
        try await expectFailure(["report", folder.path("run")], naming: [folder.path("run")])
      }
      try Data(text.utf8).write(to: file)
    }
    try await laserSucceeds(["report", folder.path("run")])
  }

  @Test func reports() async throws {
    try await expectRefusal(["report", folder.path("absent")], naming: folder.path("absent"))
    try await expectRefusal(["report", workshop.model], naming: workshop.model)
    try FileManager.default.createDirectory(at: folder["run"], withIntermediateDirectories: true)
    try Data("{\"record\": \"other\"}\n".utf8).write(to: folder["run/journal.jsonl"])
    try await expectRefusal(["report", folder.path("run")], naming: folder.path("run"), "line 1")
    try await expectRefusal(workshop.search(out: "run"), naming: folder.path("run"), "line 1")
  }
}
