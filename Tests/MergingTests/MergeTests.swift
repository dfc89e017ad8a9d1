import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Merging
import Models
import Tensors
import Testing
import Tokenization

/// What a merge writes.
struct MergeTests {
  /// The embedded mixture was merged by another program, from the same parents: every tensor but the routers is the same
  /// to the byte, and the routers, which that program computed with other arithmetic, to one step of bf16.
  @Test func posyIsWhatItWasMergedFrom() throws {
    let folder = try TemporaryFolder()
    let configuration = try MergeConfiguration(file: Posy.folder.appending(path: "merge.yaml").path)
    let outcome = try Merge(configuration).write(
      to: folder.path("merged"), shardSize: 5_000_000_000, replacesExisting: false, protecting: [],
      program: "laser test")
    #expect(outcome.files == ["model.safetensors"] && outcome.parameterCount == 4_067_968)
    let merged = try SafetensorsFile(path: folder.path("merged/model.safetensors"))
    let expected = try SafetensorsFile(path: Posy.folder.appending(path: "model/model.safetensors").path)
    try #require(merged.entries.map(\.name) == expected.entries.map(\.name))
    #expect(merged.headerBytes == expected.headerBytes)
    for (a, b) in zip(merged.entries, expected.entries) {
      #expect(a.type == b.type && a.shape == b.shape && a.bytes == b.bytes)
      let (mine, theirs) = (merged.file.region(a.bytes), expected.file.region(b.bytes))
      let (x, y) = (mine.withBytes { Array($0) }, theirs.withBytes { Array($0) })
      if a.name.hasSuffix("gate.weight") {
        for index in stride(from: 0, to: x.count, by: 2) {
          let bits = [x, y].map { UInt16($0[index]) | UInt16($0[index + 1]) << 8 }
          #expect(steps(bits[0], bits[1]) <= 1, "\(a.name), number \(index / 2)")
        }
      } else {
        #expect(x == y, "\(a.name)")
      }
    }
    func configurationText(_ folder: URL) throws -> String {
      try String(contentsOf: folder.appending(path: "config.json"), encoding: .utf8)
        .trimmingCharacters(in: .newlines)
    }
    #expect(try configurationText(folder["merged"]) == configurationText(Posy.folder.appending(path: "model")))
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
      #expect(
        try Data(contentsOf: folder["merged"].appending(path: name))
          == Data(contentsOf: Posy.folder.appending(path: "base/\(name)")))
    }
  }

  @Test func everyTensorHasItsPlace() throws {
    let bench = try Bench()
    try bench.merge(bench.configuration())
    for matrix in ["w1", "w2", "w3"] {
      for layer in 0..<2 {
        #expect(try bench.expert(0, matrix, layer: layer) == bench.parent("a", matrix, layer: layer))
        #expect(try bench.expert(1, matrix, layer: layer) == bench.parent("b", matrix, layer: layer))
      }
    }
    for (name, rows, columns) in [
      ("model.embed_tokens.weight", 2048, 16), ("lm_head.weight", 2048, 16), ("model.norm.weight", 1, 16),
      ("model.layers.1.self_attn.k_proj.weight", 8, 16), ("model.layers.0.input_layernorm.weight", 1, 16),
    ] {
      #expect(
        try bench.numbers(name, rows: rows, columns: columns)
          == bench.numbers(name, in: "base", rows: rows, columns: columns))
    }
  }

  @Test func shardsHoldWhatOneFileHolds() throws {
    let bench = try Bench()
    let configuration = try bench.configuration()
    try bench.merge(configuration)
    let outcome = try bench.merge(configuration, shardSize: 20_000, to: bench.folder.path("shards"))
    #expect(outcome.files.count > 2)
    let (whole, shards) = (try Model(path: bench.out), try Model(path: bench.folder.path("shards")))
    #expect(whole.checkpoint.tensorNames == shards.checkpoint.tensorNames)
    for file in outcome.files {
      #expect(FileManager.default.fileExists(atPath: bench.folder.path("shards") + "/" + file))
    }
    for reference in whole.layout.layers.flatMap({
      $0.experts.map(\.down) + $0.attention.matrices.prefix(1).map(\.reference)
    }) + [whole.layout.embedding] {
      #expect(
        try whole.stored(reference).region.withBytes { Array($0) }
          == shards.stored(reference).region.withBytes { Array($0) })
    }
  }

  @Test func theSameMergeHasTheSameBytes() throws {
    let bench = try Bench()
    let configuration = try bench.configuration(head: ["gate_mode: random"], a: ["noise_scale: 0.1"])
    try bench.merge(configuration)
    try bench.merge(configuration, to: bench.folder.path("again"))
    #expect(try contents(of: bench.folder["out"]) == contents(of: bench.folder["again"]))
  }

  @Test func llamasDefaultsAreWrittenOut() throws {
    var base = Bench.dense(1, type: "llama")
    for key in ["rms_norm_eps", "rope_theta", "num_key_value_heads"] { base.configuration[key] = nil }
    // As many key-value heads as heads, which is Llama's default and not Mixtral's.
    for layer in 0..<2 {
      for name in ["k_proj", "v_proj"] {
        base.change("model.layers.\(layer).self_attn.\(name).weight") { tensor in
          tensor.shape = [16, 16]
          tensor.bytes += tensor.bytes
        }
      }
    }
    base.configuration["attention_bias"] = "false"
    let bench = try Bench(base: base, a: base, b: base)
    try bench.merge(bench.configuration())
    let merged = try Model(path: bench.out)
    let file = merged.checkpoint.configuration
    #expect(file["model_type"]?.string == "mixtral" && file["attention_bias"] == nil)
    #expect(file["rms_norm_eps"]?.number == 1e-6 && file["rope_theta"]?.number == 10_000)
    #expect(file["num_key_value_heads"]?.integer == 2 && file.json["sliding_window"]?.isNull == true)
    #expect(file["torch_dtype"]?.string == "bfloat16" && file["max_position_embeddings"]?.integer == 2048)
    // Experts that are all the base's own: the mixture is the dense model.
    let dense = try Model(path: bench.folder.path("base"))
    #expect(try lastStates(merged).elementsEqual(lastStates(dense)) { abs($0 - $1) < 1e-4 })
  }

  @Test func tiedEmbeddingsStayTied() throws {
    func tied(_ seed: UInt64) -> TinyModel {
      var model = Bench.dense(seed)
      model.configuration["tie_word_embeddings"] = "true"
      model.remove("lm_head.weight")
      return model
    }
    let bench = try Bench(base: tied(1), a: tied(2), b: tied(3))
    try bench.merge(bench.configuration())
    let merged = try Model(path: bench.out)
    #expect(merged.configuration.tiesEmbeddings && !merged.checkpoint.contains("lm_head.weight"))
  }

  private func lastStates(_ model: Model) throws -> [Float] {
    let pass = try ForwardPass(model, WindowBatch([.init(tokens: [1, 5, 300, 7, 2000], firstScored: 1)]))
    let states = try pass.embeddings()
    for layer in 0..<2 { try pass.run(layer: layer, states) }
    return (0..<states.rows).flatMap { states.row($0) }
  }

  // MARK: Types, noise, scale

  @Test(arguments: ["bfloat16", "float16", "float32"]) func everyTypeFromEveryType(_ type: String) throws {
    func stored(_ seed: UInt64, as type: ElementType) throws -> TinyModel {
      var model = Bench.dense(seed)
      model.tensors = try model.tensors.map { tensor in
        var tensor = tensor
        let matrix = StoredMatrix(
          type: .bfloat16, rows: 1, columns: tensor.bytes.count / 2, region: OwnedBytes(tensor.bytes))
        tensor.bytes = StoredMatrix(rounding: DoubleMatrix(try matrix.decoded()), to: type).region
          .withBytes { Array($0) }
        tensor.type = type.rawValue
        return tensor
      }
      return model
    }
    let bench = try Bench(
      base: stored(1, as: .bfloat16), a: stored(2, as: .float16), b: stored(3, as: .float32))
    try bench.merge(bench.configuration(head: ["dtype: \(type)"]))
    let merged = try Model(path: bench.out)
    let expected = try #require(ElementType(configurationName: type))
    let file = try SafetensorsFile(path: bench.out + "/model.safetensors")
    for entry in file.entries { #expect(entry.type == expected.rawValue) }
    #expect(merged.checkpoint.configuration["torch_dtype"]?.string == type)
    // bf16 numbers below 1 and not tiny lie in f16 with at least 8 of its 11 bits.
    let tolerance: Float = type == "float16" ? 1e-4 : 0
    for (number, name) in ["a", "b"].enumerated() {
      for matrix in ["w1", "w2", "w3"] {
        let (x, y) = (try bench.expert(number, matrix), try bench.parent(name, matrix))
        #expect(zip(x, y).allSatisfy { abs($0 - $1) <= tolerance })
      }
    }
  }

  @Test func aTypeThatIsTooSmallIsRefused() throws {
    var parent = Bench.dense(2)
    // 1e10 in bf16 is infinite in f16.
    parent.change("model.layers.1.mlp.up_proj.weight") { $0.bytes.replaceSubrange(0..<2, with: [0x15, 0x50]) }
    let bench = try Bench(a: parent)
    #expect {
      try bench.merge(bench.configuration(head: ["dtype: float16"]))
    } throws: { "\($0)".contains("model.layers.1.mlp.up_proj.weight") && "\($0)".contains("float16") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder.url.path).sorted() == ["a", "b", "base"])
  }

  @Test func residualScaleScalesWhatAnExpertAdds() throws {
    let bench = try Bench()
    try bench.merge(bench.configuration(a: ["residual_scale: 0.5"]))
    #expect(try bench.expert(0, "w2") == bench.parent("a", "w2").map { $0 / 2 })
    #expect(try bench.expert(0, "w1") == bench.parent("a", "w1"))
    #expect(try bench.expert(1, "w2") == bench.parent("b", "w2"))
  }

  @Test func noiseHasItsScale() throws {
    let bench = try Bench()
    let head = ["dtype: float32"]
    try bench.merge(bench.configuration(head: head, b: ["noise_scale: 0.25"]))
    #expect(try bench.expert(0, "w1") == bench.parent("a", "w1"))
    var differences: [Double] = []
    for (matrix, layer) in [("w1", 0), ("w2", 0), ("w3", 0), ("w1", 1), ("w2", 1), ("w3", 1)] {
      differences += try zip(
        bench.expert(1, matrix, layer: layer), bench.parent("b", matrix, layer: layer)
      ).map { Double($0 - $1) }
    }
    let mean = differences.reduce(0, +) / Double(differences.count)
    let deviation = (differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)).squareRoot()
    // 2304 numbers: standard errors of 0.0052 and 0.0037.
    #expect(abs(mean) < 0.025 && abs(deviation - 0.25) < 0.018)
    #expect(Set(differences.map { ($0 * 1e5).rounded() }).count > 2200)
    // Another seed, other noise; the same seed, the same.
    try bench.merge(bench.configuration(head: head, b: ["noise_scale: 0.25"], seed: 1), to: bench.folder.path("other"))
    #expect(try bench.expert(1, "w1", in: "other") != bench.expert(1, "w1"))
    try bench.merge(
      bench.configuration(head: head + ["seed: 1"], b: ["noise_scale: 0.25"]), to: bench.folder.path("third"))
    #expect(try bench.expert(1, "w1", in: "third") == bench.expert(1, "w1", in: "other"))
  }

  // MARK: The folder

  @Test func theCardNamesParentsAndPrompts() throws {
    let bench = try Bench()
    try bench.merge(bench.configuration())
    let card = try String(contentsOf: bench.folder["out/README.md"], encoding: .utf8)
    #expect(
      card.hasPrefix(
        "---\nlibrary_name: transformers\ntags:\n- moe\n"))
    #expect(card.contains("- frankenmoe\n- laser\n---\n") && card.contains("Once upon a time"))
    #expect(!card.contains(bench.folder.url.path))
  }

  @Test func foldersAreMadeWhereTheyCanBe() throws {
    let bench = try Bench()
    try bench.merge(bench.configuration(), to: bench.folder.path("new/and/deep"))
    #expect(try Model(path: bench.folder.path("new/and/deep")).configuration.layerCount == 2)
    try Data("mine".utf8).write(to: bench.folder["file"])
    #expect {
      try bench.merge(bench.configuration(), to: bench.folder.path("file/below"))
    } throws: { error in
      (error as? CheckpointError)?.code == .unwritable && "\(error)".contains(bench.folder.path("file/"))
    }
  }

  @Test func anExistingFolderIsReplacedOnlyIfItIsAMerge() throws {
    let bench = try Bench()
    let configuration = try bench.configuration()
    try bench.merge(configuration, shardSize: 20_000)
    #expect { try bench.merge(configuration) } throws: { "\($0)".contains("--force") }
    try bench.merge(configuration, force: true)
    #expect(
      try contents(of: bench.folder["out"]).keys.sorted() == [
        "README.md", "config.json", "model.safetensors", "tokenizer.json",
      ])
    try Data("mine".utf8).write(to: bench.folder["out/notes.txt"])
    let before = try contents(of: bench.folder.url)
    #expect { try bench.merge(configuration, force: true) } throws: { "\($0)".contains("notes.txt") }
    for name in ["a", "base", "a/below", "."] {
      #expect(throws: CheckpointError.self) {
        try bench.merge(configuration, force: true, to: bench.folder.path(name))
      }
    }
    #expect(try contents(of: bench.folder.url) == before)
  }
}
