import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Merging
import Models
import Tensors
import Testing

/// Qwen3 parents: norms of queries and keys stay, and there is no shared expert.
struct Qwen3MergeTests {
  private static func parent(_ seed: UInt64) -> TinyModel { Bench.dense(seed, type: "qwen3") }

  private static func attentionBiases(_ seed: UInt64) -> TinyModel {
    var model = parent(seed)
    model.configuration["attention_bias"] = "true"
    var generator = SeededGenerator(seed: seed &+ 3000)
    model.tensors += model.tensors.filter { $0.name.hasSuffix("_proj.weight") && $0.name.contains("self_attn") }.map {
      TinyTensor(
        name: $0.name.replacing(".weight", with: ".bias"), shape: [$0.shape[0]], scale: 1, from: &generator)
    }
    return model
  }

  private func logits(_ folder: String) throws -> Matrix {
    let pass = try ForwardPass(Model(path: folder), WindowBatch([.init(tokens: [1, 5, 300, 7, 2000], firstScored: 1)]))
    let states = try pass.embeddings()
    for layer in 0..<2 { try pass.run(layer: layer, states) }
    return states
  }

  /// Experts that are all the base's: the mixture is the dense model, whatever its own class takes for absent keys.
  @Test(arguments: [false, true]) func aMixtureOfOneModelIsThatModel(hasBiases: Bool) throws {
    let model = hasBiases ? Self.attentionBiases(1) : Self.parent(1)
    let bench = try Bench(base: model, a: model, b: model)
    try bench.merge(bench.configuration())
    let configuration = try Checkpoint(path: bench.out).configuration
    #expect(configuration["architectures"]?.array?.first?.string == "Qwen3MoeForCausalLM")
    #expect(configuration["head_dim"]?.integer == 8 && configuration["norm_topk_prob"]?.boolean == true)
    let (merged, dense) = (try logits(bench.out), try logits(bench.folder.path("base")))
    for row in 0..<merged.rows {
      #expect(zip(merged.row(row), dense.row(row)).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  /// Every tensor but the routers is its parent's, to the byte, and none is missing or left over.
  @Test func everyTensorHasItsPlace() throws {
    let bench = try Bench(base: Self.parent(1), a: Self.parent(2), b: Self.parent(3))
    try bench.merge(bench.configuration())
    func bytes(_ folder: String, _ name: String) throws -> [UInt8] {
      let file = try SafetensorsFile(path: folder + "/model.safetensors")
      let entry = try #require(file.entries.first { $0.name == name }, "\(name)")
      return file.file.region(entry.bytes).withBytes { Array($0) }
    }
    var expected = Set((0..<2).map { "model.layers.\($0).mlp.gate.weight" })
    for name in try Checkpoint(path: bench.folder.path("base")).tensorNames {
      guard let range = name.range(of: ".mlp.") else {
        expected.insert(name)
        #expect(try bytes(bench.out, name) == bytes(bench.folder.path("base"), name), "\(name)")
        continue
      }
      for (number, parent) in ["a", "b"].enumerated() {
        let new = name.replacingCharacters(in: range, with: ".mlp.experts.\(number).")
        expected.insert(new)
        #expect(try bytes(bench.out, new) == bytes(bench.folder.path(parent), name), "\(new)")
      }
    }
    #expect(expected.count { $0.hasSuffix("_norm.weight") } == 4)
    #expect(try Set(Checkpoint(path: bench.out).tensorNames) == expected)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    var windowed = Self.parent(1)
    windowed.configuration["use_sliding_window"] = "true"
    let bench = try Bench(base: windowed, a: Self.parent(2), b: Self.parent(3))
    #expect {
      try bench.merge(bench.configuration())
    } throws: {
      "\($0)".contains("/base") && "\($0)".contains("use_sliding_window")
    }
    let mixed = try Bench(base: Self.parent(1), a: Bench.dense(2, type: "qwen2"), b: Self.parent(3))
    #expect {
      try mixed.merge(mixed.configuration())
    } throws: {
      "\($0)".contains("/a") && "\($0)".contains("qwen2 and qwen3 models")
    }
    let shared = ["shared_experts:", "- source_model: a", "  positive_prompts: [x]"]
    let plain = try Bench(base: Self.parent(1), a: Self.parent(2), b: Self.parent(3))
    #expect {
      try plain.merge(plain.configuration(head: shared))
    } throws: {
      "\($0)".contains("Qwen3-MoE") && "\($0)".contains("leave it out")
    }
  }
}
