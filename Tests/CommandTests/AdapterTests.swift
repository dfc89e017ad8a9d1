import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

/// `laser apply --lora`: adapters as PEFT reads them.
struct AdapterTests {
  private let workshop: Workshop

  private static let query = "model.layers.0.self_attn.q_proj"
  private static let gate = "model.layers.1.mlp.gate_proj"

  /// A dense model in float32, so that the checkpoint that an adapter stands for is rounded as little as the adapter.
  init() throws { workshop = try Workshop(Self.dense()) }

  private static func dense(seed: UInt64 = 1) -> TinyModel {
    var model = TinyModel.dense(seed: seed, vocabularySize: 2048)
    model.tensors = model.tensors.map(inFloat32)
    return model
  }

  private static func inFloat32(_ tensor: TinyTensor) -> TinyTensor {
    var tensor = tensor
    tensor.type = "F32"
    tensor.bytes = stride(from: 0, to: tensor.bytes.count, by: 2).flatMap { [0, 0] + tensor.bytes[$0..<$0 + 2] }
    return tensor
  }

  private func path(_ name: String) -> String { workshop.folder.path(name) }

  private static let entries = [
    Workshop.entry(expert: nil, role: "q_proj", rank: 14), Workshop.entry(layer: 1, expert: nil, rank: 11),
    // Nothing is dropped, so there is nothing to add.
    Workshop.entry(expert: nil, role: "o_proj", rank: 16),
  ]

  private func apply(_ out: String, _ more: [String] = ["--lora"], entries: [String] = entries) async throws -> LaserRun
  {
    let plan = try workshop.writePlan("plan.yaml", entries: entries)
    return try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", path(out)] + more)
  }

  private func numbers(_ checkpoint: Checkpoint, _ module: String, _ rows: Int, _ columns: Int) throws -> [Float] {
    let matrix = try checkpoint.matrix(TensorReference(name: module + ".weight", rows: rows, columns: columns))
      .decoded()
    return (0..<rows).flatMap { matrix.row($0) }
  }

  private func tensor(_ out: String, _ module: String, _ kind: String) throws -> (shape: [Int], values: [Float]) {
    let file = try SafetensorsFile(path: path(out) + "/adapter_model.safetensors")
    let name = "base_model.model.\(module).\(kind).weight"
    let entry = try #require(file.entries.first { $0.name == name }, "\(name)")
    try #require(entry.type == "F32")
    return (
      entry.shape,
      file.file.withBytes { bytes in
        stride(from: entry.bytes.lowerBound, to: entry.bytes.upperBound, by: 4).map {
          Float(bitPattern: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
        }
      }
    )
  }

  /// B · A of a module.
  private func change(_ out: String, _ module: String) throws -> (rank: Int, values: [Float]) {
    let (a, b) = (try tensor(out, module, "lora_A"), try tensor(out, module, "lora_B"))
    let (rows, rank, columns) = (b.shape[0], b.shape[1], a.shape[1])
    try #require(a.shape[0] == rank)
    let values = (0..<rows * columns).map { place in
      (0..<rank).reduce(Float(0)) {
        $0 + b.values[place / columns * rank + $1] * a.values[$1 * columns + place % columns]
      }
    }
    return (rank, values)
  }

  @Test func theModelAndTheAdapterMakeTheLaseredCheckpoint() async throws {
    _ = try await apply("lasered", [])
    let run = try await apply("adapter")
    #expect(run.output.contains("Adapter (2 modules, ranks up to 5,"))
    let (original, lasered) = (try Checkpoint(path: workshop.model), try Checkpoint(path: path("lasered")))
    for (module, rows, rank) in [(Self.query, 16, 2), (Self.gate, 24, 5)] {
      let change = try change("adapter", module)
      #expect(change.rank == rank)
      let (before, after) = (try numbers(original, module, rows, 16), try numbers(lasered, module, rows, 16))
      #expect(before != after)
      for index in before.indices { #expect(abs(before[index] + change.values[index] - after[index]) < 1e-6) }
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: path("adapter")).sorted()
    #expect(names == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
    let json = try await apply("json", ["--lora", "--json"]).json
    #expect(json["adapter"]?["modules"]?.integer == 2 && json["adapter"]?["largest_rank"]?.integer == 5)
    #expect(json["adapter"]?["bytes"]?.integer == 4 * (2 * 32 + 5 * 40))
  }

  @Test func itsConfiguration() async throws {
    _ = try await apply("adapter")
    let configuration = try Configuration(path: path("adapter/adapter_config.json"))
    #expect(try configuration.string("peft_type") == "LORA" && configuration.string("task_type") == "CAUSAL_LM")
    #expect(configuration["target_modules"]?.array?.compactMap(\.string) == [Self.query, Self.gate])
    // The scale alpha / r is 1 for each.
    #expect(configuration["r"]?.integer == 5 && configuration["lora_alpha"]?.integer == 5)
    for key in ["rank_pattern", "alpha_pattern"] {
      #expect(configuration[key]?.keys == [Self.query] && configuration[key]?[Self.query]?.integer == 2, "\(key)")
    }
    #expect(configuration["use_rslora"]?.boolean == false && configuration["bias"]?.string == "none")
    let readme = try String(contentsOfFile: path("adapter/README.md"), encoding: .utf8)
    for words in ["library_name: peft", "an adapter for model", "--out FOLDER --lora"] {
      #expect(readme.contains(words), "\(words)")
    }
  }

  @Test func replacedOnlyByItsLike() async throws {
    _ = try await apply("adapter")
    let before = try contents(of: workshop.folder["adapter"])
    let plan = try workshop.writePlan("plan.yaml", entries: Self.entries)
    let again = ["apply", workshop.model, "--plan", plan, "--out", path("adapter"), "--lora"]
    try await expectFailure(again, naming: [path("adapter"), "--force"])
    try await laserSucceeds(again + ["--force"])
    #expect(try contents(of: workshop.folder["adapter"]) == before)
    try Data("mine".utf8).write(to: workshop.folder["adapter/notes.txt"])
    try await expectFailure(again + ["--force"], naming: ["notes.txt"])
    _ = try await apply("checkpoint", [])
    try await expectFailure(
      ["apply", workshop.model, "--plan", plan, "--out", path("checkpoint"), "--lora", "--force"],
      naming: ["not an adapter"])
    try await expectFailure(
      ["apply", workshop.model, "--plan", plan, "--out", workshop.model, "--lora", "--force"], naming: ["original"])
  }

  // MARK: Experts

  /// Experts in one parameter, as PEFT's `target_parameters` has them: of each, W + B · A is the lasered matrix.
  @Test func experts() async throws {
    var tiny = Workshop.tinyModel()
    tiny.tensors = tiny.tensors.map(Self.inFloat32)
    try workshop.addModel(tiny, named: "mixture")
    // Expert 0 loses 2 + 3 directions of gate and up, expert 1 of its gate 1, and of down 2.
    let plan = try workshop.writePlan(
      "mixture.yaml", of: workshop.fingerprint("mixture"),
      entries: [
        Workshop.entry(rank: 14), Workshop.entry(role: "w3", rank: 13), Workshop.entry(expert: 1, rank: 15),
        Workshop.entry(expert: 1, role: "w2", rank: 14), Workshop.entry(layer: 1, role: "w2", rank: 15),
        Workshop.entry(expert: nil, role: "q_proj", rank: 14),
      ])
    let apply = ["apply", path("mixture"), "--plan", plan, "--out"]
    try await laserSucceeds(apply + [path("lasered")])
    try await laserSucceeds(apply + [path("adapter"), "--lora"])
    let (original, lasered) = (try Checkpoint(path: path("mixture")), try Checkpoint(path: path("lasered")))
    let prefix = "model.layers.0.mlp.experts"
    // Both parameters of a module: the first one's wrapper is within the second's.
    let gateUp = try stack("adapter", prefix + ".base_layer", experts: 2)
    let down = try stack("adapter", prefix, experts: 2)
    #expect(gateUp.rank == 5 && down.rank == 2)
    for (expert, role, first) in [(0, "w1", 0), (0, "w3", 24), (1, "w1", 0), (1, "w3", 24), (0, "w2", 0), (1, "w2", 0)]
    {
      let isDown = role == "w2"
      let (rows, columns) = isDown ? (16, 24) : (24, 16)
      let module = "model.layers.0.block_sparse_moe.experts.\(expert).\(role)"
      let (before, after) = (try numbers(original, module, rows, columns), try numbers(lasered, module, rows, columns))
      let change = isDown ? down.change(expert) : gateUp.change(expert)
      for index in before.indices {
        let added = change[(first + index / columns) * columns + index % columns]
        #expect(abs(before[index] + added - after[index]) < 1e-6, "\(module)")
      }
    }
    #expect(try stack("adapter", "model.layers.1.mlp.experts", experts: 2).rank == 1)
    let configuration = try Configuration(path: path("adapter/adapter_config.json"))
    #expect(
      configuration["target_parameters"]?.array?.compactMap(\.string)
        == [prefix + ".gate_up_proj", prefix + ".down_proj", "model.layers.1.mlp.experts.down_proj"])
    #expect(configuration["r"]?.integer == 5 && configuration["rank_pattern"]?[prefix + ".down_proj"]?.integer == 2)
    #expect(configuration["target_modules"]?.array?.compactMap(\.string) == [Self.query])
  }

  /// lora_A and lora_B of a parameter of experts.
  private struct Stack {
    let a: (shape: [Int], values: [Float])
    let b: (shape: [Int], values: [Float])
    let experts: Int
    var rank: Int { a.shape[0] / experts }

    /// As PEFT has it: einsum("o r e, e r i -> e o i") of B (out, r, experts) and A (experts, r, in).
    func change(_ expert: Int) -> [Float] {
      let (rows, columns) = (b.shape[0], a.shape[1])
      return (0..<rows * columns).map { place in
        (0..<rank).reduce(Float(0)) {
          $0 + b.values[place / columns * rank * experts + $1 * experts + expert]
            * a.values[(expert * rank + $1) * columns + place % columns]
        }
      }
    }
  }

  private func stack(_ out: String, _ module: String, experts: Int) throws -> Stack {
    Stack(a: try tensor(out, module, "lora_A"), b: try tensor(out, module, "lora_B"), experts: experts)
  }

  // MARK: Relative to a base

  /// The fine-tune: its base with two matrices changed.
  private func addFineTune(alsoChanging other: String? = nil) throws {
    var tuned = Self.dense()
    let strange = Self.dense(seed: 2)
    for name in [Self.query + ".weight", Self.gate + ".weight"] + (other.map { [$0] } ?? []) {
      let bytes = try #require(strange.tensors.first { $0.name == name }).bytes
      tuned.change(name) { $0.bytes = bytes }
    }
    try workshop.addModel(tuned, named: "tuned")
  }

  private func tunedPlan(_ ranks: (Int, Int)) throws -> [String] {
    let entries = [
      Workshop.entry(expert: nil, role: "q_proj", rank: ranks.0),
      Workshop.entry(layer: 1, expert: nil, role: "w1", rank: ranks.1),
    ].map { $0.replacing("kind: weights", with: "kind: delta") }
    let plan = try workshop.writePlan("tuned.yaml", of: workshop.fingerprint("tuned"), entries: entries)
    return ["apply", path("tuned"), "--plan", plan, "--base", workshop.model, "--out"]
  }

  @Test(arguments: [false, true]) func aFineTune(_ forBase: Bool) async throws {
    try addFineTune()
    let apply = try tunedPlan(forBase ? (3, 0) : (13, 14))
    try await laserSucceeds(apply + [path("lasered")])
    try await laserSucceeds(apply + [path("adapter"), "--lora"] + (forBase ? ["--for-base"] : []))
    let start = try Checkpoint(path: forBase ? workshop.model : path("tuned"))
    let end = try Checkpoint(path: path("lasered"))
    let modules = forBase ? [(Self.query, 16)] : [(Self.query, 16), (Self.gate, 24)]
    for (module, rows) in modules {
      let change = try change("adapter", module)
      #expect(change.rank == (forBase || module == Self.query ? 3 : 2))
      let (before, after) = (try numbers(start, module, rows, 16), try numbers(end, module, rows, 16))
      for index in before.indices { #expect(abs(before[index] + change.values[index] - after[index]) < 1e-6) }
    }
    let readme = try String(contentsOfFile: path("adapter/README.md"), encoding: .utf8)
    #expect(readme.contains("an adapter for \(forBase ? "model" : "tuned")"))
  }

  /// Experts stacked, as transformers 5 stores them.
  private static func stacked(_ tiny: TinyModel) throws -> TinyModel {
    var result = tiny
    let prefix = "block_sparse_moe.experts."
    result.tensors.removeAll { $0.name.contains(prefix) }
    for layer in 0..<2 {
      func bytes(_ roles: [String]) throws -> [UInt8] {
        try (0..<2).flatMap { expert in
          try roles.flatMap { role in
            try #require(
              tiny.tensors.first { $0.name == "model.layers.\(layer).\(prefix)\(expert).\(role).weight" }
            ).bytes
          }
        }
      }
      let name = "model.layers.\(layer).mlp.experts."
      result.tensors += [
        TinyTensor(name: name + "gate_up_proj", type: "F32", shape: [2, 48, 16], bytes: try bytes(["w1", "w3"])),
        TinyTensor(name: name + "down_proj", type: "F32", shape: [2, 16, 24], bytes: try bytes(["w2"])),
      ]
    }
    return result
  }

  /// A fine-tune of stacked experts, whose base has them stacked or one by one.
  @Test(arguments: [false, true]) func aFineTuneOfExperts(_ stacksBase: Bool) async throws {
    var base = Workshop.tinyModel()
    base.tensors = base.tensors.map(Self.inFloat32)
    var strange = Workshop.tinyModel(seed: 2)
    strange.tensors = strange.tensors.map(Self.inFloat32)
    var tuned = base
    let name = "model.layers.0.block_sparse_moe.experts.1.w3.weight"
    let bytes = try #require(strange.tensors.first { $0.name == name }).bytes
    tuned.change(name) { $0.bytes = bytes }
    try workshop.addModel(stacksBase ? Self.stacked(base) : base, named: "base")
    try workshop.addModel(Self.stacked(tuned), named: "experts")
    let entries = [Workshop.entry(expert: 1, role: "w3", rank: 3).replacing("kind: weights", with: "kind: delta")]
    let plan = try workshop.writePlan("experts.yaml", of: workshop.fingerprint("experts"), entries: entries)
    let apply = ["apply", path("experts"), "--plan", plan, "--base", path("base"), "--out"]
    try await laserSucceeds(apply + [path("lasered")])
    try await laserSucceeds(apply + [path("adapter"), "--lora", "--for-base"])
    let change = try stack("adapter", "model.layers.0.mlp.experts", experts: 2)
    #expect(change.rank == 3)
    func numbers(_ name: String) throws -> [Float] {
      let stack = TensorReference(
        name: "model.layers.0.mlp.experts.gate_up_proj", shape: (2, 48, 16), index: 1, rows: 24..<48)
      let matrix = try Checkpoint(path: path(name)).matrix(stack).decoded()
      return (0..<24).flatMap { matrix.row($0) }
    }
    try workshop.addModel(Self.stacked(base), named: "stacked")
    let (before, after) = (try numbers("stacked"), try numbers("lasered"))
    for index in before.indices {
      #expect(abs(before[index] + change.change(1)[24 * 16 + index] - after[index]) < 1e-6)
    }
    // Another expert differs as well.
    tuned.change("model.layers.1.block_sparse_moe.experts.0.w2.weight") { $0.bytes[2] ^= 1 }
    try workshop.addModel(Self.stacked(tuned), named: "other")
    let other = try workshop.writePlan("other.yaml", of: workshop.fingerprint("other"), entries: entries)
    try await expectFailure(
      ["apply", path("other"), "--plan", other, "--base", path("base"), "--out", path("no"), "--lora", "--for-base"],
      naming: ["1 tensor", "model.layers.1.mlp.experts.down_proj[0]", "--for-base"])
  }

  @Test func aFineTuneThatDiffersElsewhere() async throws {
    try addFineTune(alsoChanging: "model.norm.weight")
    try await expectFailure(
      tunedPlan((3, 2)) + [path("adapter"), "--lora", "--for-base"],
      naming: ["1 tensor", "model.norm.weight", "--for-base"])
  }

  @Test func refusals() async throws {
    func plan(_ entries: [String]) throws -> [String] {
      ["apply", workshop.model, "--plan", try workshop.writePlan("plan.yaml", entries: entries), "--out", path("out")]
    }
    let good = try plan(Self.entries)
    for more in [["--lora", "--to", "gguf"], ["--for-base"]] {
      #expect(try await laser(good + more).status == 64, "\(more)")
    }
    try await expectFailure(good + ["--lora", "--for-base"], naming: ["--for-base", "base"])
    // 16 × 16: up to rank 7 pays, and 13 directions are dropped.
    try await expectFailure(
      plan(
        Self.entries + [
          Workshop.entry(expert: nil, role: "k_proj", rank: 8),
          Workshop.entry(layer: 1, expert: nil, role: "q_proj", rank: 3),
        ]) + ["--lora"],
      naming: ["1 of 5 matrices", "layer 1 q_proj", "13 directions", "up to 7"])
    try await expectFailure(
      plan([Workshop.entry(expert: nil, role: "o_proj", rank: 16)]) + ["--lora"], naming: ["changes no matrix"])
    // Gate and up projection of an expert share the rank of their parameter: 48 × 16, of which up to 11 directions pay.
    try workshop.addModel(Workshop.tinyModel(), named: "mixture")
    let mixture = try workshop.writePlan(
      "mixture.yaml", of: workshop.fingerprint("mixture"),
      entries: [Workshop.entry(rank: 10), Workshop.entry(role: "w3", rank: 10)])
    try await expectFailure(
      ["apply", path("mixture"), "--plan", mixture, "--out", path("out"), "--lora"],
      naming: ["expert 0", "12 directions", "up to 11", "--lora"])
    #expect(!FileManager.default.fileExists(atPath: path("out")))
  }
}
