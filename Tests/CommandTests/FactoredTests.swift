import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

/// `laser apply --factored`, and every command on what it writes.
struct FactoredTests {
  private let workshop: Workshop

  init() throws { workshop = try Workshop() }

  private func path(_ name: String) -> String { workshop.folder.path(name) }

  /// Two experts' matrices and an attention's at low ranks; one whose rank is too high for factors.
  private static let entries = [
    Workshop.entry(rank: 3), Workshop.entry(layer: 1, expert: 1, role: "w2", rank: 2),
    Workshop.entry(layer: 1, expert: nil, role: "q_proj", rank: 4), Workshop.entry(expert: 1, role: "w3", rank: 12),
  ]

  private func apply(_ out: String, _ more: [String] = ["--factored"], entries: [String] = entries) async throws
    -> LaserRun
  {
    let plan = try workshop.writePlan("plan.yaml", entries: entries)
    return try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", path(out)] + more)
  }

  private func perplexity(_ model: String, _ text: String? = nil, context: String = "32") async throws -> Double {
    let run = try await laserSucceeds(
      ["perplexity", model, "--json", "--context", context, "--text", text ?? workshop.searchTexts[0]])
    return try #require(try run.json["corpora"]?.array?.first?["perplexity"]?.number)
  }

  @Test func whatIsTold() async throws {
    let run = try await apply("a")
    #expect(run.output.contains("4 of 20 matrices reduced"))
    // In bf16: 24 × 16 at ranks 3 and 2, 16 × 16 at rank 4.
    let saved = 2 * (24 * 16 - 3 * 40 + 24 * 16 - 2 * 40 + 16 * 16 - 4 * 32)
    #expect(run.output.contains("3 stored as two factors") && run.output.contains("1 of too high a rank"))
    let json = try await apply("b", ["--factored", "--json"]).json
    #expect(json["factors"]?["factored"]?.integer == 3 && json["factors"]?["whole_for_rank"]?.integer == 1)
    #expect(json["factors"]?["bytes_saved"]?.integer == saved)
    let (before, after) = (try Checkpoint(path: workshop.model), try Checkpoint(path: path("a")))
    #expect(before.byteCount - after.byteCount == saved)
    let readme = try String(contentsOfFile: path("a/README.md"), encoding: .utf8)
    for words in ["`P.left.weight`", "--out FOLDER --factored", "left.float() @ right.float()"] {
      #expect(readme.contains(words), "\(words)")
    }
  }

  /// 30000 · aᵢ bⱼ whose largest number was cut to F16's own: its best approximation of rank 1 is beyond that.
  @Test(arguments: [[], ["--factored"]]) func aReducedMatrixThatF16CannotHoldIsRefused(_ form: [String]) async throws {
    var tiny = Workshop.tinyModel()
    tiny.change("model.layers.0.self_attn.q_proj.weight") { tensor in
      tensor.type = "F16"
      tensor.bytes = (0..<256).flatMap { place in
        let number = Float(place / 16 == 15 ? 2 : 1) * (place % 16 == 15 ? 2 : 1) * 30_000
        return withUnsafeBytes(of: Float16(min(number, 65_504)).bitPattern.littleEndian) { Array($0) }
      }
    }
    try workshop.addModel(tiny, named: "half")
    let plan = try workshop.writePlan(
      "plan.yaml", of: workshop.fingerprint("half"),
      entries: [Workshop.entry(expert: nil, role: "q_proj", rank: 1)])
    try await expectFailure(
      ["apply", path("half"), "--plan", plan, "--out", path("out")] + form, naming: ["layer 0", "65504", "BF16"])
    #expect(!FileManager.default.fileExists(atPath: path("out")))
  }

  /// A program that does not know factors must find no weights; what is not the checkpoint's own stays out of harm.
  @Test func otherWeightsStayBehindAndOthersFilesStay() async throws {
    let model = URL(filePath: workshop.model)
    for name in ["pytorch_model.bin", "notes.txt"] {
      try Data("other".utf8).write(to: model.appending(path: name))
    }
    _ = try await apply("a")
    let names = try FileManager.default.contentsOfDirectory(atPath: path("a"))
    #expect(names.contains("notes.txt") && !names.contains("pytorch_model.bin"))
    let foreignFile = URL(filePath: path("a")).appending(path: "factored-ema.safetensors")
    try Data("mine".utf8).write(to: foreignFile)
    let plan = try workshop.writePlan("plan.yaml", entries: Self.entries)
    try await expectFailure(
      ["apply", workshop.model, "--plan", plan, "--out", path("a"), "--factored", "--force"],
      naming: ["factored-ema.safetensors"])
    #expect(try Data(contentsOf: foreignFile) == Data("mine".utf8))
  }

  @Test func theSameBytesEveryTime() async throws {
    _ = try await apply("a")
    _ = try await apply("b", ["--factored", "--threads", "1"])
    #expect(try contents(of: workshop.folder["a"]) == contents(of: workshop.folder["b"]))
    _ = try await apply("a", ["--factored", "--force"])
    #expect(try contents(of: workshop.folder["a"]) == contents(of: workshop.folder["b"]))
  }

  /// What is read from factors is what a dense copy of them holds, so that every number is the same.
  @Test func everyCommandReadsIt() async throws {
    _ = try await apply("factored")
    let nothing = try workshop.writePlan("none.yaml", of: workshop.fingerprint("factored"), entries: [])
    let empty = try String(contentsOfFile: nothing, encoding: .utf8).replacing(
      "reductions:\n", with: "reductions: []\n")
    try Data(empty.utf8).write(to: workshop.folder["none.yaml"])
    try await laserSucceeds(["apply", path("factored"), "--plan", nothing, "--out", path("dense")])
    #expect(try !Checkpoint(path: path("dense")).isFactored)
    let text = workshop.searchTexts[0]
    let (factored, dense) = (try await perplexity(path("factored")), try await perplexity(path("dense")))
    #expect(factored == dense)
    let streamed = try await laserSucceeds(
      ["perplexity", path("factored"), "--json", "--context", "32", "--memory", "96M", "--text", text])
    #expect(try streamed.json["corpora"]?.array?.first?["perplexity"]?.number == factored)

    let compared = try await laserSucceeds(
      ["compare", path("factored"), path("dense"), "--context", "32", "--json", "--text", text])
    #expect(try compared.json["divergence"]?["maximum"]?.number == 0)

    try await laserSucceeds(["convert", path("factored"), "--out", path("a.gguf")])
    try await laserSucceeds(["convert", path("dense"), "--out", path("b.gguf")])
    #expect(abs(try await perplexity(path("a.gguf")) / factored - 1) < 1e-6)
    let (a, b) = (try GGUFFile(path: path("a.gguf")), try GGUFFile(path: path("b.gguf")))
    for (one, other) in zip(a.tensors, b.tensors) {
      #expect(one.name == other.name)
      #expect(a.file.withBytes { Array($0[one.bytes]) } == b.file.withBytes { Array($0[other.bytes]) }, "\(one.name)")
    }

    let inspected = try await laserSucceeds(["inspect", path("factored"), "--json"]).json
    let sites = try #require(inspected["sites"]?.array)
    let ranks = sites.compactMap { $0["factor_rank"]?.integer }
    #expect(sites.count == 20 && ranks.sorted() == [2, 3, 4])
    let whole = try await laserSucceeds(["inspect", workshop.model, "--json"]).json
    let saved = try #require(whole["parameters"]?.integer) - #require(inspected["parameters"]?.integer)
    #expect(saved == 24 * 16 - 3 * 40 + 24 * 16 - 2 * 40 + 16 * 16 - 4 * 32)
    #expect(try await laserSucceeds(["inspect", path("factored"), "--sites"]).output.contains("factors of rank 3"))

    try await laserSucceeds(["generate", path("factored"), "--prompt", "Once", "--tokens", "5"])
    try await laserSucceeds(["spectrum", path("factored"), "--json"])
  }

  /// A search on factors and a further reduction of them.
  @Test func searchedAndReducedAgain() async throws {
    _ = try await apply("factored")
    try await laserSucceeds(workshop.search(out: "run", model: path("factored"), ranks: "2", more: ["--layers", "0"]))
    let plan = path("run/plan.yaml")
    try await laserSucceeds(["apply", path("factored"), "--plan", plan, "--out", path("dense")])
    let report = try JSON(parsing: Array(Data(contentsOf: workshop.folder["run/report.json"])))
    let promised = try #require(report["search"]?["result"]?["nll"]?.number)
    let corpora =
      try await laserSucceeds(workshop.perplexity("dense", workshop.searchTexts)).json["corpora"]?.array ?? []
    let tokens = corpora.compactMap { $0["scored_tokens"]?.number }
    let sum = zip(corpora, tokens).reduce(0) { $0 + ($1.0["nll"]?.number ?? 0) * $1.1 }
    #expect(abs(sum / tokens.reduce(0, +) - promised) < 1e-9)
  }

  /// On trained matrices: factors differ from the truncated matrix by the rounding of two numbers instead of one, some 0.3 %
  /// of each, random in sign, of what is left of nine matrices.
  @Test func posy() async throws {
    let model = Posy.model
    let entries = (0..<3).flatMap { layer in
      ["w1", "w2", "w3"].map { Workshop.entry(layer: layer, expert: layer, role: $0, rank: 20, fullRank: 128) }
    }
    let plan = try workshop.writePlan(
      "posy.yaml", of: Checkpoint(path: model).fingerprint.description, entries: entries)
    let apply = ["apply", model, "--plan", plan, "--out"]
    try await laserSucceeds(apply + [path("dense")])
    try await laserSucceeds(apply + [path("factored"), "--factored"])
    let text = Posy.text("tales.search")
    let original = try await perplexity(model, text, context: "256")
    let dense = try await perplexity(path("dense"), text, context: "256")
    let factored = try await perplexity(path("factored"), text, context: "256")
    #expect(abs(factored / dense - 1) < 5e-4 && abs(dense / original - 1) > 5e-3)
    func size(_ name: String) throws -> Int { try Checkpoint(path: path(name)).byteCount }
    #expect(try size("dense") - size("factored") == 9 * 2 * (128 * 352 - 20 * 480))
  }

  /// Experts that are compared with one dense base share its matrix where that pays: three matrices of a layer, all four
  /// experts; not a role of which one expert alone is reduced, nor attention.
  @Test func expertsOfOneBase() async throws {
    func entries(_ layer: Int, _ experts: [Int?], _ role: String, rank: Int) -> [String] {
      experts.map { expert in
        Workshop.entry(layer: layer, expert: expert, role: role, rank: rank, fullRank: 128)
          .replacing("kind: weights", with: "kind: delta")
      }
    }
    let all: [Int?] = [0, 1, 2, 3]
    let plan = try workshop.writePlan(
      "posy.yaml", of: Checkpoint(path: Posy.model).fingerprint.description,
      entries: entries(0, all, "w1", rank: 12) + entries(0, all, "w2", rank: 0) + entries(1, [2], "w3", rank: 4)
        + entries(2, [nil], "q_proj", rank: 8) + entries(3, [0, 1, 2], "w3", rank: 100)
        + entries(4, [0, 3], "w1", rank: 40))
    let apply = ["apply", Posy.model, "--base", Posy.base, "--plan", plan, "--out"]
    try await laserSucceeds(apply + [path("dense")])
    let run = try await laserSucceeds(apply + [path("factored"), "--factored"])
    #expect(
      run.output.contains("10 stored as two factors beside 3 bases of experts")
        && run.output.contains("3 of too high a rank, 2 of a base that too few experts share"), "\(run.output)")
    let (dense, factored) = (try Checkpoint(path: path("dense")), try Checkpoint(path: path("factored")))
    let (numbers, thin) = (128 * 352, 480)
    let saved = 2 * (3 * numbers - 4 * 12 * thin) + 2 * 3 * numbers + 2 * (numbers - 2 * 40 * thin)
    #expect(dense.byteCount - factored.byteCount == saved)
    let base = try Checkpoint(path: Posy.base)
    let shared = TensorReference(
      name: "model.layers.0.block_sparse_moe.experts.base.w1.weight", rows: 352, columns: 128)
    let original = TensorReference(name: "model.layers.0.mlp.gate_proj.weight", rows: 352, columns: 128)
    #expect(try factored.matrix(shared).holdsSame(as: base.matrix(original)))
    // The base itself is the same to the bit; the others but for the rounding of the factors.
    for expert in 0..<4 {
      let module = "model.layers.0.block_sparse_moe.experts.\(expert)."
      let down = TensorReference(name: module + "w2.weight", rows: 128, columns: 352)
      #expect(try factored.matrix(down).factors?.rank == 0)
      #expect(try factored.matrix(down).holdsSame(as: dense.matrix(down)))
      let gate = TensorReference(name: module + "w1.weight", rows: 352, columns: 128)
      let (made, whole) = (try factored.matrix(gate).decoded(), try dense.matrix(gate).decoded())
      let (a, b) = (DoubleMatrix(made).elements, DoubleMatrix(whole).elements)
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 0x1p-6 * max(abs($1), 0.01) })
    }
    let text = Posy.text("tales.search")
    let (own, other) = (
      try await perplexity(path("factored"), text, context: "256"),
      try await perplexity(path("dense"), text, context: "256")
    )
    #expect(abs(own / other - 1) < 1e-4)
    try await laserSucceeds(["generate", path("factored"), "--prompt", "Once", "--tokens", "5"])
    let streamed = try await laserSucceeds(
      ["perplexity", path("factored"), "--json", "--context", "256", "--memory", "96M", "--text", text])
    #expect(try streamed.json["corpora"]?.array?.first?["perplexity"]?.number == own)
    // Reduced again relative to the base, it keeps the bases that it has.
    let again = try workshop.writePlan(
      "again.yaml", of: factored.fingerprint.description,
      entries: entries(0, [1, 2, 3], "w1", rank: 2) + entries(5, all, "w1", rank: 2))
    let more = try await laserSucceeds([
      "apply", path("factored"), "--base", Posy.base, "--plan", again, "--out", path("again"), "--factored",
    ])
    #expect(more.output.contains("4 stored as two factors beside a base of experts"), "\(more.output)")
    let written = try Checkpoint(path: path("again"))
    #expect(written.contains(shared.tensor) && written.contains("model.layers.0.block_sparse_moe.experts.3.w1.weight"))
  }

  /// A recipe's checkpoint relative to a base.
  @Test func aRecipeWithABase() async throws {
    let recipe = """
      model: \(Posy.model)
      base: \(Posy.base)
      text: \(Posy.text("tales.search"))
      held_out: \(Posy.text("tales.heldout"))
      context: 256
      layers: 5
      roles: w1
      filter: select
      damping: 1
      confidence: 0.5
      out: \(path("run"))
      checkpoint: \(path("run/checkpoint"))
      factored: true
      """
    try Data(recipe.utf8).write(to: workshop.folder["recipe.yaml"])
    try await laserSucceeds(["run", path("recipe.yaml")])
    let written = try Checkpoint(path: path("run/checkpoint"))
    #expect(written.isFactored && written.contains("model.layers.5.block_sparse_moe.experts.base.w1.weight"))
  }

  @Test func refusals() async throws {
    func plan(_ entries: [String]) throws -> [String] {
      ["apply", workshop.model, "--plan", try workshop.writePlan("plan.yaml", entries: entries), "--out", path("out")]
    }
    let good = try plan(Self.entries)
    for more in [["--to", "gguf"], ["--reduced-type", "f16"], ["--lora"]] {
      #expect(try await laser(good + ["--factored"] + more).status == 64, "\(more)")
    }
    try await expectFailure(
      plan([Workshop.entry(rank: 12)]) + ["--factored"],
      naming: ["no matrix of the plan", "saves up to rank 9 of 16", "--factored"])
    // A mixture has a matrix for each of its experts, so that they share none.
    let delta = try plan([Workshop.entry(rank: 2).replacing("kind: weights", with: "kind: delta")])
    try workshop.addModel(Workshop.tinyModel(seed: 2), named: "base")
    try await expectFailure(
      delta + ["--base", path("base"), "--factored"],
      naming: ["one is added to a matrix of the base, which too few experts share", "--lora --for-base"])
    try await laserSucceeds(["convert", workshop.model, "--out", path("a.gguf")])
    let other = try workshop.writePlan(
      "gguf.yaml", of: workshop.fingerprint("a.gguf"), entries: [Workshop.entry(expert: nil, role: "q_proj", rank: 4)])
    try await expectFailure(
      ["apply", path("a.gguf"), "--plan", other, "--out", path("b.gguf"), "--factored"],
      naming: ["GGUF", "--factored"])
    #expect(!FileManager.default.fileExists(atPath: path("out")))
    #expect(!FileManager.default.fileExists(atPath: path("b.gguf")))
  }

  /// Experts of a stack become tensors of their own, as they are published, where one of them becomes two.
  @Test func stackedExperts() async throws {
    let folder = URL(filePath: #filePath).appending(path: "../../Fixtures/architectures/mixtral-stacked").standardized
    let fingerprint = try Checkpoint(path: folder.path).fingerprint.description
    let overview = try await laserSucceeds(["inspect", folder.path, "--json"]).json
    func rank(_ role: String) throws -> Int {
      let site = try #require(overview["sites"]?.array?.first { $0["role"]?.string == role })
      return try min(#require(site["rows"]?.integer), #require(site["columns"]?.integer))
    }
    let stacked = try Workshop.entry(rank: 2, fullRank: rank("w1"))
    let alone = try Workshop.entry(expert: nil, role: "o_proj", rank: 2, fullRank: rank("o_proj"))
    func apply(_ entries: [String]) throws -> [String] {
      let plan = try workshop.writePlan("plan.yaml", of: fingerprint, entries: entries)
      return ["apply", folder.path, "--plan", plan, "--out", path("out"), "--factored"]
    }
    let high = try Workshop.entry(rank: rank("w1") - 1, fullRank: rank("w1"))
    try await expectFailure(apply([high]), naming: ["one keeps too high a rank", "experts.gate_up_proj"])
    let run = try await laserSucceeds(apply([stacked, alone]))
    #expect(run.output.contains("2 stored as two factors") && !run.output.contains("larger tensors"))
    let written = try Checkpoint(path: path("out"))
    #expect(!written.tensorNames.contains { $0.hasSuffix("experts.gate_up_proj") || $0.contains("mlp.gate.") })
    #expect(written.contains("model.layers.0.block_sparse_moe.experts.0.w1.left.weight"))
    // The same numbers: of those that were not reduced to the bit, of the others but for the rounding of factors.
    let plan = try workshop.writePlan("plan.yaml", of: fingerprint, entries: [stacked, alone])
    try await laserSucceeds(["apply", folder.path, "--plan", plan, "--out", path("dense")])
    let dense = try Checkpoint(path: path("dense"))
    func numbers(_ checkpoint: Checkpoint, _ reference: TensorReference) throws -> [Double] {
      DoubleMatrix(try checkpoint.matrix(reference).decoded()).elements
    }
    for layer in 0..<2 {
      for expert in 0..<4 {
        for (role, first, rows, columns) in [("w1", 0, 40, 32), ("w3", 40, 40, 32), ("w2", 0, 32, 40)] {
          let name = role == "w2" ? "down_proj" : "gate_up_proj"
          let whole = try numbers(
            dense,
            TensorReference(
              name: "model.layers.\(layer).mlp.experts.\(name)", shape: (4, role == "w2" ? 32 : 80, columns),
              index: expert, rows: first..<first + rows))
          let alone = "model.layers.\(layer).block_sparse_moe.experts.\(expert).\(role).weight"
          let own = try numbers(written, TensorReference(name: alone, rows: rows, columns: columns))
          let isReduced = (layer, expert, role) == (0, 0, "w1")
          let largest = whole.map(abs).max() ?? 0
          #expect(zip(own, whole).allSatisfy { abs($0 - $1) <= (isReduced ? 0.02 * largest : 0) }, "\(alone)")
        }
      }
    }
    try await laserSucceeds(["inspect", path("out")])
  }
}
