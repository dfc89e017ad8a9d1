import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

/// GGUF files written by convert and apply, and read again.
struct ConvertTests {
  private let workshop: Workshop

  init() throws { workshop = try Workshop() }

  private func path(_ name: String) -> String { workshop.folder.path(name) }

  private func perplexity(_ name: String) async throws -> Double {
    let run = try await laserSucceeds(workshop.perplexity(name, [workshop.searchTexts[0]]))
    return try #require(try run.json["corpora"]?.array?.first?["perplexity"]?.number)
  }

  /// Every stored type holds the numbers of bf16 but F16 and Q8_0, which round.
  @Test(arguments: [("f32", 1e-6), ("bf16", 1e-6), ("f16", 1e-3), ("q8_0", 1e-2)])
  func aConvertedModelScoresAsItsOriginal(_ type: String, _ tolerance: Double) async throws {
    let run = try await laserSucceeds(["convert", workshop.model, "--out", path("a.gguf"), "--type", type])
    #expect(run.output.contains("parameters") && run.output.contains("a.gguf"))
    let (original, converted) = (try await perplexity("model"), try await perplexity("a.gguf"))
    #expect(abs(converted / original - 1) < tolerance)
    let file = try GGUFFile(path: path("a.gguf"))
    let types = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.type.name) })
    // Rows of 16 and 24 numbers are no whole blocks of Q8_0.
    let expected = type == "q8_0" ? "F16" : type.uppercased()
    #expect(types["blk.0.ffn_gate_exps.weight"] == expected && types["blk.0.ffn_gate_inp.weight"] == "F32")
    #expect(types["output_norm.weight"] == "F32")
    #expect(file["tokenizer.ggml.tokens"]?.count == 2048 && file["llama.expert_used_count"]?.integer == 2)
    #expect(file["tokenizer.ggml.model"]?.string == "llama" && file["tokenizer.ggml.add_bos_token"]?.boolean == true)
  }

  /// Mixtures of types, with and without importance, of a model whose rows fit their smaller blocks.
  @Test func mixturesOfTypes() async throws {
    let text = Posy.text("tales.search")
    func convert(_ name: String, _ options: String...) async throws -> GGUFFile {
      try await laserSucceeds(["convert", Posy.model, "--out", path(name), "--force"] + options)
      return try GGUFFile(path: path(name))
    }
    func score(_ name: String) async throws -> Double {
      let run = try await laserSucceeds(["perplexity", path(name), "--text", text, "--context", "256", "--json"])
      return try #require(run.json["corpora"]?.array?.first?["perplexity"]?.number)
    }
    func types(_ file: GGUFFile) -> [String: String] {
      Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.type.name) })
    }
    _ = try await convert("whole.gguf")
    let plain = try await convert("plain.gguf", "--type", "Q4_K_M")
    let weighted = try await convert(
      "weighted.gguf", "--type", "q4_k_m", "--imatrix", text, "--imatrix-out", path("imatrix.gguf"))
    #expect(types(plain) == types(weighted))
    // Rows of 128 numbers are no whole blocks of 256.
    #expect(types(plain)["blk.0.attn_q.weight"] == "Q5_0" && types(plain)["output.weight"] == "Q8_0")
    #expect(types(plain)["blk.0.ffn_gate_inp.weight"] == "F32")
    #expect(plain["general.file_type"]?.integer == 15 && plain["quantize.imatrix.dataset"] == nil)
    #expect(weighted["quantize.imatrix.dataset"]?.string == "tales.search.txt")
    let measured = try GGUFFile(path: path("imatrix.gguf"))
    #expect(weighted["quantize.imatrix.entries_count"]?.integer == measured.tensors.count / 2)
    // What was measured, read from its file: the same weights.
    let again = try await convert("again.gguf", "--type", "q4_k_m", "--imatrix", path("imatrix.gguf"))
    #expect(again["quantize.imatrix.file"]?.string == path("imatrix.gguf"))
    func bytes(_ file: GGUFFile) -> [[UInt8]] {
      file.tensors.map { file.file.region($0.bytes).withBytes { Array($0) } }
    }
    #expect(bytes(again) == bytes(weighted) && bytes(plain) != bytes(weighted))
    let (whole, rough, better) = (
      try await score("whole.gguf"), try await score("plain.gguf"), try await score("weighted.gguf")
    )
    #expect(abs(rough / whole - 1) < 0.05 && abs(better / whole - 1) < abs(rough / whole - 1))
    _ = try await convert("few.gguf", "--type", "iq4_nl")
    #expect(abs(try await score("few.gguf") / whole - 1) < 0.1)
  }

  // MARK: Model cards

  @Test func cardsOfConvertedModels() async throws {
    try Data("---\nlicense: mit\n---\n# A model\n".utf8).write(to: workshop.folder["model/README.md"])
    let convert = [
      "convert", workshop.model, "--out", path("a.gguf"), "--type", "q8_0", "--name", "org/a-model", "--card",
      path("README.md"),
    ]
    try await laserSucceeds(convert)
    func card() throws -> String { try String(contentsOfFile: path("README.md"), encoding: .utf8) }
    #expect(
      try card() == """
        ---
        base_model_relation: quantized
        license: mit
        base_model:
        - org/a-model
        tags:
        - gguf
        ---

        # org/a-model, GGUF

        <!-- laser: begin -->
        ## GGUF

        `a.gguf` holds the model for llama.cpp and its kin, matrices stored in q8_0.

        Made of org/a-model with `laser convert`.
        <!-- laser: end -->

        """)
    // What is there stays, and only with leave.
    try Data((try card() + "\nBy me.\n").utf8).write(to: workshop.folder["README.md"])
    try await expectFailure(
      convert.map { $0.replacing("a.gguf", with: "b.gguf") }, naming: ["README.md", "--force"])
    #expect(!FileManager.default.fileExists(atPath: path("b.gguf")))
    try await laserSucceeds(convert.map { $0 == "q8_0" ? "f16" : $0 } + ["--force"])
    #expect(try card().contains("stored in f16") && card().contains("By me.") && !card().contains("q8_0"))
    try await expectFailure(
      ["convert", workshop.model, "--out", path("c.gguf"), "--card", path("c.txt")], naming: ["c.txt", ".md"])
    try await expectFailure(
      ["convert", workshop.model, "--out", path("c.gguf"), "--card", path("model/C.md")], naming: ["C.md", "model"])
  }

  @Test func cardsOfLaseredModels() async throws {
    let plan = try workshop.writePlan("plan.yaml", entries: [Workshop.entry(rank: 4)])
    try await laserSucceeds([
      "apply", workshop.model, "--plan", plan, "--out", path("l.gguf"), "--to", "gguf", "--name", "org/a-model",
      "--card",
      path("CARD.md"),
    ])
    let card = try String(contentsOfFile: path("CARD.md"), encoding: .utf8)
    for words in [
      "base_model_relation: quantized", "- org/a-model", "- laser\n- gguf", "1 matrix has its rank reduced",
      "`l.gguf` holds the model", "--out FILE --to gguf",
    ] { #expect(card.contains(words), "\(words)") }
    // A card is for GGUF.
    let refused = ["apply", workshop.model, "--plan", plan, "--out", path("folder"), "--card", path("D.md")]
    #expect(try await laser(refused).status == 64)
  }

  @Test func impossibleMixturesAreRefused() async throws {
    let text = Posy.text("tales.search")
    let cases: [([String], String)] = [
      (["--type", "q2_k_s"], "--imatrix"), (["--type", "f16", "--imatrix", text], "q4_k_m"),
      (["--type", "q4_k_m", "--imatrix-out", path("i.gguf")], "--imatrix"), (["--type", "q4_k_x"], "q4_k_s"),
      (["--type", "q4_k_m", "--imatrix", path("none.txt")], "none.txt"),
      (["--type", "q4_k_m", "--imatrix", text, "--memory", "1M"], "give at least"),
      (["--type", "q4_k_m", "--imatrix", text, "--imatrix-out", path("a.gguf")], "a.gguf"),
    ]
    for (options, word) in cases {
      let run = try await laser(["convert", Posy.model, "--out", path("a.gguf")] + options)
      #expect(run.status != 0 && run.error.contains(word), "\(options): \(run.error)")
      #expect(!FileManager.default.fileExists(atPath: path("a.gguf")))
    }
    // Another model's matrix.
    try await laserSucceeds(
      [
        "convert", Posy.model, "--out", path("p.gguf"), "--type", "q4_0", "--imatrix", text, "--imatrix-out",
        path("i.gguf"),
      ])
    let run = try await laser(
      ["convert", workshop.model, "--out", path("a.gguf"), "--type", "q8_0", "--imatrix", path("i.gguf")])
    #expect(run.status != 0 && run.error.contains("another model's"), "\(run.error)")
  }

  /// A matrix of a type that is only read becomes Q8_0 where it is reduced; a part of a tensor cannot.
  @Test func matricesThatAreOnlyRead() async throws {
    try await laserSucceeds(["convert", Posy.model, "--out", path("posy.gguf"), "--type", "f16"])
    let parts = try GGUFParts(path: path("posy.gguf"))
    let query = StoredMatrix(
      type: .nvfp4, rows: 128, columns: 128,
      region: OwnedBytes((0..<128 * 72).map { UInt8(truncatingIfNeeded: $0 * 7) }))
    try CheckpointCopy(of: Checkpoint(path: path("posy.gguf")), to: path("read.gguf"), replacesExisting: false).write(
      replacing: [TensorReference(name: "blk.0.attn_q.weight", rows: 128, columns: 128): query])
    #expect(parts.tensor("blk.0.attn_q.weight") != nil)
    let plan = try workshop.writePlan(
      "plan.yaml", of: workshop.fingerprint("read.gguf"),
      entries: [Workshop.entry(expert: nil, role: "q_proj", rank: 64, fullRank: 128)])
    try await laserSucceeds(["apply", path("read.gguf"), "--plan", plan, "--out", path("lasered.gguf")])
    let file = try GGUFFile(path: path("lasered.gguf"))
    #expect(file.tensors.first { $0.name == "blk.0.attn_q.weight" }?.type.name == "Q8_0")
    try await laserSucceeds([
      "perplexity", path("lasered.gguf"), "--text", Posy.text("tales.search"), "--context", "64",
    ])
  }

  @Test func posysWordsStayWhatTheyAre() async throws {
    try await laserSucceeds(["convert", Posy.model, "--out", path("posy.gguf")])
    func ids(_ model: String) async throws -> String {
      try await laserSucceeds(["tokenize", model, "--ids", "--text", Posy.text("tales.search")]).output
    }
    let mine = try await ids(path("posy.gguf"))
    #expect(try await ids(Posy.model) == mine)
    // From one GGUF file to another.
    try await laserSucceeds(["convert", path("posy.gguf"), "--out", path("small.gguf"), "--type", "Q8_0"])
    #expect(try await ids(path("small.gguf")) == mine)
    let file = try GGUFFile(path: path("small.gguf"))
    #expect(file.tensors.first { $0.name == "blk.0.attn_q.weight" }?.type.name == "Q8_0")
    #expect(file["general.file_type"]?.integer == 7)
  }

  /// As gguf-py 0.19 makes them of the folder's name and README (metadata.py, utility.py).
  @Test func whereItComesFrom() async throws {
    let folder = workshop.folder["SmolLM2-135M-Instruct"]
    try workshop.addModel(Workshop.tinyModel(), named: "SmolLM2-135M-Instruct")
    let card = """
      ---
      license: apache-2.0
      base_model: [meta-llama/llama-2-7b-hf, own]
      tags: [moe]
      language: en
      ---
      text
      """
    try Data(card.utf8).write(to: folder.appending(path: "README.md"))
    try await laserSucceeds(["convert", folder.path, "--out", path("a.gguf")])
    let file = try GGUFFile(path: path("a.gguf"))
    let expected = [
      "general.name": "SmolLM2 135M Instruct", "general.basename": "SmolLM2", "general.size_label": "2x70K",
      "general.license": "apache-2.0", "general.base_model.0.name": "Llama 2 7b Hf",
      "general.base_model.0.organization": "Meta Llama",
      "general.base_model.0.repo_url": "https://huggingface.co/meta-llama/llama-2-7b-hf",
      "general.base_model.1.name": "Own",
    ]
    for (key, value) in expected { #expect(file[key]?.string == value, "\(key): \(file[key]?.string ?? "none")") }
    #expect(file["general.base_model.count"]?.integer == 2 && file["general.base_model.1.organization"] == nil)
    #expect(file["general.tags"]?.strings == ["moe"] && file["general.languages"]?.strings == ["en"])
    #expect(Set(file.metadata.map(\.key)).count == file.metadata.count)
    // What is reduced has the original for its base.
    let plan = try workshop.writePlan(
      "plan.yaml", of: workshop.fingerprint("SmolLM2-135M-Instruct"), entries: [Workshop.entry(rank: 3)])
    try await laserSucceeds(["apply", folder.path, "--plan", plan, "--to", "gguf", "--out", path("b.gguf")])
    let lasered = try GGUFFile(path: path("b.gguf"))
    #expect(lasered["general.base_model.0.name"]?.string == "SmolLM2 135M Instruct")
    #expect(lasered["general.base_model.count"]?.integer == 1)
    #expect(lasered["general.tags"]?.strings == ["moe", "laser"])
    #expect(lasered["general.license"]?.string == "apache-2.0")
  }

  @Test func lasered() async throws {
    let plan = try workshop.writePlan(
      "plan.yaml",
      entries: [
        Workshop.entry(rank: 3), Workshop.entry(layer: 1, expert: nil, role: "q_proj", rank: 4),
      ])
    let apply = ["apply", workshop.model, "--plan", plan, "--out"]
    try await laserSucceeds(apply + [path("folder")])
    try await laserSucceeds(apply + [path("a.gguf"), "--to", "gguf", "--type", "f32"])
    let (folder, file) = (try await perplexity("folder"), try await perplexity("a.gguf"))
    #expect(abs(file / folder - 1) < 1e-6)
    let original = try await perplexity("model")
    #expect(abs(file / original - 1) > 1e-6)
    try await expectFailure(apply + [path("b"), "--to", "gguf"], naming: [".gguf"])
    try await expectFailure(apply + [path("b"), "--reduced-type", "f16"], naming: ["--reduced-type", "GGUF"])
  }

  /// In a GGUF file, only the reduced tensors change, and only they get another type.
  @Test func aReducedGGUFFile() async throws {
    try await laserSucceeds(["convert", workshop.model, "--out", path("a.gguf")])
    let plan = try workshop.writePlan(
      "plan.yaml", of: workshop.fingerprint("a.gguf"),
      entries: [Workshop.entry(expert: nil, role: "q_proj", rank: 4)])
    let apply = ["apply", path("a.gguf"), "--plan", plan, "--out"]
    try await laserSucceeds(apply + [path("b.gguf")])
    try await laserSucceeds(apply + [path("c.gguf"), "--reduced-type", "f32"])
    let (before, same, wider) = (
      try GGUFFile(path: path("a.gguf")), try GGUFFile(path: path("b.gguf")), try GGUFFile(path: path("c.gguf"))
    )
    #expect(same.file.byteCount == before.file.byteCount)
    #expect(wider.file.byteCount == before.file.byteCount + 2 * 16 * 16)
    for (index, tensor) in before.tensors.enumerated() {
      let isReduced = tensor.name == "blk.0.attn_q.weight"
      #expect(same.tensors[index].type == tensor.type)
      #expect(wider.tensors[index].type.name == (isReduced ? "F32" : tensor.type.name))
      func bytes(_ file: GGUFFile) -> [UInt8] {
        file.file.withBytes { Array($0[file.tensors[index].bytes]) }
      }
      #expect((bytes(same) == bytes(before)) == !isReduced, "\(tensor.name)")
      #expect((bytes(wider) == bytes(before)) == !isReduced, "\(tensor.name)")
    }
    let original = try await perplexity("a.gguf")
    for name in ["b.gguf", "c.gguf"] {
      let perplexity = try await perplexity(name)
      #expect(perplexity != original)
    }
  }

  // MARK: To a folder

  /// Tensors of a folder's files: types, shapes and bytes by name.
  private func tensors(_ folder: String) throws -> [String: [String]] {
    var result: [String: [String]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".safetensors") {
      let file = try SafetensorsFile(path: folder + "/" + name)
      for entry in file.entries {
        result[entry.name] = [
          entry.type, "\(entry.shape)", file.file.region(entry.bytes).withBytes { Data($0).base64EncodedString() },
        ]
      }
    }
    return result
  }

  private func ids(_ model: String, _ text: String) async throws -> String {
    try await laserSucceeds(["tokenize", model, "--ids", "--text", text]).output
  }

  /// To GGUF and back: posy's weights, its words and its score.
  @Test func aFolderAgain() async throws {
    try await laserSucceeds(["convert", Posy.model, "--out", path("posy.gguf")])
    // A model in GGUF becomes a folder without being told.
    let arguments = ["convert", path("posy.gguf"), "--out", path("posy")]
    let run = try await laserSucceeds(arguments + ["--shard-size", "2M", "--json"])
    #expect(try run.json["bytes"]?.integer == Checkpoint(path: Posy.model).byteCount)
    #expect(try tensors(path("posy")) == tensors(Posy.model))
    let files = try FileManager.default.contentsOfDirectory(atPath: path("posy"))
    #expect(files.count { $0.hasSuffix(".safetensors") } > 3 && files.contains("model.safetensors.index.json"))
    let hardCases = Posy.folder.appending(path: "../../Tests/TokenizationTests/Fixtures/hard-cases.txt").path
    for text in [hardCases, Posy.text("plays.search")] {
      let (before, after) = (try await ids(Posy.model, text), try await ids(path("posy"), text))
      #expect(before == after)
    }
    let score = ["--json", "--context", "64", "--text", workshop.searchTexts[0]]
    func corpora(_ model: String) async throws -> String {
      try #require(try await laserSucceeds(["perplexity", model] + score).json["corpora"]).compact
    }
    let (before, after) = (try await corpora(Posy.model), try await corpora(path("posy")))
    #expect(before == after)
    let configuration = try Configuration(path: path("posy/config.json"))
    let original = try Configuration(path: Posy.model + "/config.json")
    for key in ["architectures", "model_type", "rms_norm_eps", "rope_theta", "bos_token_id", "eos_token_id"] {
      #expect(configuration[key]?.compact == original[key]?.compact, "\(key)")
    }
    let settings = try Configuration(path: path("posy/tokenizer_config.json"))
    #expect(settings["bos_token"]?.string == "<s>" && settings["eos_token"]?.string == "</s>")

    try await expectFailure(arguments, naming: [path("posy"), "--force"])
    try await laserSucceeds(arguments + ["--force", "--type", "f32"])
    #expect(try tensors(path("posy")).values.allSatisfy { $0[0] == "F32" })
  }

  /// Quantised matrices become F16, which holds Q8_0's numbers to 11 bits.
  @Test func aFolderOfQuantisedMatrices() async throws {
    try await laserSucceeds(["convert", Posy.model, "--out", path("q.gguf"), "--type", "q8_0"])
    for type in [nil, "f32", "bf16"] {
      let arguments = ["convert", path("q.gguf"), "--out", path("folder"), "--to", "safetensors", "--force"]
      try await laserSucceeds(arguments + (type.map { ["--type", $0] } ?? []))
      let stored = try #require(try tensors(path("folder"))["model.layers.0.self_attn.q_proj.weight"])
      #expect(stored[0] == (type ?? "f16").uppercased())
      let (before, after) = (try await perplexity("q.gguf"), try await perplexity("folder"))
      #expect(abs(after / before - 1) < ["f32": 1e-6, "bf16": 1e-2][type ?? ""] ?? 1e-4)
    }
  }

  @Test func foldersThatAreRefused() async throws {
    let out = ["--out", path("folder"), "--to", "safetensors"]
    try await expectFailure(["convert", workshop.model] + out, naming: [workshop.model, "already"])
    let wrong = try await laser(["convert", workshop.model] + out + ["--type", "q8_0"])
    #expect(wrong.status == 64 && wrong.error.contains("q8_0"))
    let other = try await laser(["convert", workshop.model, "--out", path("a.gguf"), "--shard-size", "1M"])
    #expect(other.status == 64 && other.error.contains("--to safetensors"))
    try await laserSucceeds(["convert", workshop.model, "--out", path("a.gguf")])
    let file = try GGUFFile(path: path("a.gguf"))
    func write(_ name: String, _ metadata: [GGUFFile.Member]) throws {
      let places = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.bytes) })
      try GGUFWriter(
        metadata: metadata, tensors: file.tensors.map { .init(name: $0.name, type: $0.type, shape: $0.shape) }
      ).write(to: path(name)) { tensor throws(CheckpointError) in file.file.region(places[tensor.name] ?? 0..<0) }
    }
    try write("mute.gguf", file.metadata.filter { !$0.key.hasPrefix("tokenizer.") })
    try await expectFailure(["convert", path("mute.gguf")] + out, naming: ["mute.gguf", "tokenizer.ggml.model"])
    try write(
      "bert.gguf",
      file.metadata.filter { $0.key != "tokenizer.ggml.model" } + [
        .init(key: "tokenizer.ggml.model", value: .string("bert"))
      ])
    try await expectFailure(["convert", path("bert.gguf")] + out, naming: ["bert.gguf", "'bert'"])
    #expect(!FileManager.default.fileExists(atPath: path("folder")))
  }

  @Test func whatIsRefused() async throws {
    let out = path("a.gguf")
    try await expectFailure(["convert", workshop.model, "--out", path("a")], naming: [path("a"), ".gguf"])
    try Data("x".utf8).write(to: workshop.folder["a.gguf"])
    try await expectFailure(["convert", workshop.model, "--out", out], naming: [out, "--force"])
    try await laserSucceeds(["convert", workshop.model, "--out", out, "--force"])
    try await expectFailure(["convert", out, "--out", out, "--force"], naming: ["original"])
    var other = Workshop.tinyModel()
    other.configuration["sliding_window"] = "64"
    try workshop.addModel(other, named: "window")
    try await expectFailure(["convert", path("window"), "--out", path("b.gguf")], naming: ["sliding window", "64"])
    try Workshop.tinyModel().write(to: workshop.folder["mute"])
    try await expectFailure(["convert", path("mute"), "--out", path("b.gguf")], naming: ["tokenizer.json"])
    #expect(!FileManager.default.fileExists(atPath: path("b.gguf")))
  }
}
