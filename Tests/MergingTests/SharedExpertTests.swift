import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Merging
import Models
import Tensors
import Testing
import Tokenization

/// Qwen2 parents: the biases stay, and an expert that every token goes to is added.
struct SharedExpertTests {
  private let bench: Bench

  private static func qwen2(_ seed: UInt64) -> TinyModel { Bench.dense(seed, type: "qwen2") }
  private static let shared = ["source_model: c", "positive_prompts: [The king said]"]

  init() throws {
    bench = try Bench(base: Self.qwen2(1), a: Self.qwen2(2), b: Self.qwen2(3))
    try bench.add(Self.qwen2(4), named: "c")
  }

  private func configuration(_ head: [String] = [], shared: [String] = shared) throws -> MergeConfiguration {
    try bench.configuration(
      head: head + ["shared_experts:"] + shared.enumerated().map { ($0 == 0 ? "- " : "  ") + $1 })
  }

  private func states(_ model: Model, tokens: [Int32] = [1, 5, 300, 7, 2000]) throws -> (Matrix, [Routing]) {
    let pass = try ForwardPass(model, WindowBatch([.init(tokens: tokens, firstScored: 1)]))
    let states = try pass.embeddings()
    return (states, try (0..<2).map { try pass.run(layer: $0, states) })
  }

  private func expectEqual(_ a: Matrix, _ b: Matrix, sourceLocation: SourceLocation = #_sourceLocation) {
    for row in 0..<a.rows {
      #expect(zip(a.row(row), b.row(row)).allSatisfy { abs($0 - $1) < 1e-4 }, sourceLocation: sourceLocation)
    }
  }

  // MARK: What is written

  /// Every tensor but the gates is its parent's, to the byte, and none is missing or left over.
  @Test func everyTensorHasItsPlace() throws {
    try bench.merge(configuration())
    let merged = try Checkpoint(path: bench.out)
    func bytes(_ checkpoint: Checkpoint, _ name: String) throws -> [UInt8] {
      let file = try SafetensorsFile(path: checkpoint.path + "/model.safetensors")
      let entry = try #require(file.entries.first { $0.name == name }, "\(name)")
      return file.file.region(entry.bytes).withBytes { Array($0) }
    }
    var expected: Set<String> = []
    for name in try Checkpoint(path: bench.folder.path("base")).tensorNames {
      guard let range = name.range(of: ".mlp.") else {
        expected.insert(name)
        #expect(try bytes(merged, name) == bytes(Checkpoint(path: bench.folder.path("base")), name), "\(name)")
        continue
      }
      for (parent, place) in [("a", "experts.0."), ("b", "experts.1."), ("c", "shared_expert.")] {
        let new = name.replacingCharacters(in: range, with: ".mlp." + place)
        expected.insert(new)
        #expect(try bytes(merged, new) == bytes(Checkpoint(path: bench.folder.path(parent)), name), "\(new)")
      }
    }
    #expect(expected.count { $0.hasSuffix("_proj.bias") } == 6)
    for layer in 0..<2 {
      expected.formUnion(["gate", "shared_expert_gate"].map { "model.layers.\(layer).mlp.\($0).weight" })
    }
    #expect(Set(merged.tensorNames) == expected)
  }

  /// The shared expert's gate is the direction of its prompt, by the same rule as the routers' rows.
  @Test func gatesPointWherePromptsLie() throws {
    try bench.merge(configuration(["dtype: float32"]))
    let base = try Model(path: bench.folder.path("base"))
    let tokenizer = try Tokenizer(path: bench.folder.path("base"))
    for (name, row, rows, prompt) in [
      ("gate", 0, 2, "Once upon a time"), ("gate", 1, 2, "It is the duty of every man to consider"),
      ("shared_expert_gate", 0, 1, "The king said"),
    ] {
      let pass = try ForwardPass(base, WindowBatch([.init(tokens: try tokenizer.encode(prompt), firstScored: 1)]))
      let states = try pass.embeddings()
      for layer in 0..<2 {
        let last = states.row(states.rows - 1)
        let norm = last.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let gate = try bench.numbers("model.layers.\(layer).mlp.\(name).weight", rows: rows, columns: 16)
        #expect(zip(gate[(row * 16)...], last).allSatisfy { abs($0 - $1 / norm) < 1e-5 }, "\(name) \(layer)")
        try pass.run(layer: layer, states)
      }
    }
    let file = try SafetensorsFile(path: bench.out + "/model.safetensors")
    #expect(file.entries.first { $0.name == "model.layers.1.mlp.shared_expert_gate.weight" }?.shape == [1, 16])
  }

  @Test(arguments: ["hidden", "cheap_embed", "random", "uniform_random"])
  func aSharedExpertOfWhichNothingIsSaidWeighsHalf(_ mode: String) throws {
    let yaml = """
      base_model: base
      gate_mode: \(mode)
      experts:
      - {source_model: a, positive_prompts: [one]}
      - {source_model: b, positive_prompts: [two]}
      shared_experts:
      - source_model: c
      """
    try bench.merge(MergeConfiguration(yaml: yaml, folder: bench.folder.url.path + "/"))
    let gate = try bench.numbers("model.layers.0.mlp.shared_expert_gate.weight", rows: 1, columns: 16)
    #expect(gate.allSatisfy { $0 == 0 })
    let routing = try states(Model(path: bench.out)).1[1]
    for token in 0..<5 { #expect(routing.weights[token * 3 + 2] == 0.5) }
  }

  // MARK: What is computed

  /// Experts that are all the base's, and a shared one that adds nothing: the mixture is the dense model.
  @Test(arguments: [nil, 0, 1]) func aMixtureOfOneModelIsThatModel(_ firstWindowedLayer: Int?) throws {
    var base = Self.qwen2(1)
    if let first = firstWindowedLayer {
      base.configuration["use_sliding_window"] = "true"
      base.configuration["sliding_window"] = "2"
      base.configuration["max_window_layers"] = "\(first)"
    }
    let bench = try Bench(base: base, a: base, b: base)
    let configuration = try bench.configuration(
      head: ["shared_experts:", "- source_model: base", "  residual_scale: 0"])
    try bench.merge(configuration)
    let merged = try Model(path: bench.out)
    let dense = try Model(path: bench.folder.path("base"))
    #expect(merged.layout.layers.map(\.slidingWindow) == dense.layout.layers.map(\.slidingWindow))
    #expect((merged.layout.layers[1].slidingWindow == 2) == (firstWindowedLayer != nil))
    try expectEqual(states(merged).0, states(dense).0)
    #expect(merged.checkpoint.configuration["architectures"]?.array?.first?.string == "Qwen2MoeForCausalLM")
  }

  @Test func everyTokenGoesToTheSharedExpertAndTwoOthers() throws {
    try bench.merge(configuration(shared: Self.shared + ["residual_scale: 0.5"]))
    let model = try Model(path: bench.out)
    let (states, routings) = try states(model, tokens: (0..<200).map { $0 * 10 })
    #expect(states.row(199).allSatisfy { $0.isFinite })
    for routing in routings {
      #expect(routing.expertsPerToken == 3)
      for token in 0..<200 {
        let (experts, weights) = (routing.experts[(token * 3)...].prefix(3), routing.weights[(token * 3)...].prefix(3))
        #expect(Array(experts) == [0, 1, 2] && abs(weights.dropLast().reduce(0, +) - 1) < 1e-5)
        #expect(weights.allSatisfy { (0...1).contains($0) })
      }
      // The router and the shared gate do decide something.
      #expect(Set((0..<200).map { routing.weights[$0 * 3] }).count > 100)
      #expect(Set((0..<200).map { routing.weights[$0 * 3 + 2] }).count > 100)
    }
    let half = try bench.parent("c", "w2").map { $0 / 2 }
    #expect(
      try bench.numbers("model.layers.0.mlp.shared_expert.down_proj.weight", rows: 16, columns: 24) == half)
  }

  @Test func aTokenHasOneRouterChoiceWhenOneIsAskedFor() throws {
    try bench.merge(configuration(["experts_per_token: 1"]))
    let routing = try states(Model(path: bench.out), tokens: (0..<200).map { $0 * 10 }).1[0]
    let first = (0..<200).count { routing.experts[$0 * 2] == 0 }
    #expect(routing.expertsPerToken == 2 && (20...180).contains(first))
    for token in 0..<200 { #expect(routing.experts[token * 2 + 1] == 2 && routing.weights[token * 2] == 1) }
  }

  @Test func theCardNamesTheSharedExpert() throws {
    try bench.merge(configuration())
    let card = try String(contentsOf: bench.folder["out/README.md"], encoding: .utf8)
    #expect(card.hasPrefix("---\nlibrary_name: transformers\n") && card.contains("2 experts (Qwen2-MoE)"))
    #expect(card.contains("| shared | c | 1 | 0 |"))
  }

  // MARK: What does not fit

  private func expectRefusal(
    _ bench: Bench, _ configuration: MergeConfiguration, naming words: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(sourceLocation: sourceLocation) {
      try bench.merge(configuration)
    } throws: { error in words.allSatisfy { "\(error)".contains($0) } && !"\(error)".contains("\n") }
    #expect(!FileManager.default.fileExists(atPath: bench.out), sourceLocation: sourceLocation)
  }

  @Test func familiesAndSharedExpertsThatDoNotFit() throws {
    try expectRefusal(
      bench, bench.configuration(), naming: "\"shared_experts\" is missing", "qwen2", "residual_scale")
    try expectRefusal(bench, configuration(["architecture: mixtral"]), naming: "/base", "biases", "architecture")
    let mistral = try Bench()
    let shared = ["shared_experts:", "- source_model: a", "  positive_prompts: [x]"]
    try expectRefusal(mistral, mistral.configuration(head: shared), naming: "shared_experts", "Mixtral", "leave it out")
    try expectRefusal(
      mistral, mistral.configuration(head: ["architecture: qwen"]), naming: "/base", "architecture", "mixtral")
    let mixed = try Bench(base: Self.qwen2(1), a: Self.qwen2(2), b: Bench.dense(3))
    try expectRefusal(
      mixed, mixed.configuration(head: ["architecture: Qwen MoE"] + shared), naming: "/b", "qwen2 models")
  }

  @Test func attentionBiasesThatAMixtralCannotHoldAreRefused() throws {
    var base = Bench.dense(1, type: "llama")
    base.configuration["attention_bias"] = "true"
    let bench = try Bench(base: base)
    try expectRefusal(bench, bench.configuration(), naming: "/base", "attention_bias")
  }
}
