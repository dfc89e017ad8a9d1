import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Merging
import Models
import Tensors
import Testing
import Tokenization

/// The routers of every mode, against what the mode says, computed here token by token.
struct GateTests {
  private let bench: Bench
  private let tokenizer: Tokenizer

  init() throws {
    bench = try Bench()
    tokenizer = try Tokenizer(path: bench.folder.path("base"))
  }

  private static let prompts = [
    ["Once upon a time", "There was a king who had three sons"], ["It is the duty of every man"],
  ]
  private static let negative = ["The nature of knowledge"]

  /// Two positive prompts and a negative one for the first expert, one for the second.
  private func merge(_ mode: String, negative: Bool, more: [String] = []) throws {
    let yaml =
      ["base_model: base", "gate_mode: \(mode)", "dtype: float32"] + more + [
        "experts:", "- source_model: a", "  positive_prompts: \(Self.prompts[0])",
      ] + (negative ? ["  negative_prompts: \(Self.negative)"] : []) + [
        "- source_model: b", "  positive_prompts: \(Self.prompts[1])", "",
      ]
    try bench.merge(
      MergeConfiguration(yaml: yaml.joined(separator: "\n"), folder: bench.folder.url.path + "/"), force: true)
  }

  /// A prompt alone through the base: for each layer, the states that enter it.
  private func states(_ prompt: String) throws -> [Matrix] {
    let model = try Model(path: bench.folder.path("base"))
    let pass = try ForwardPass(model, WindowBatch([.init(tokens: try tokenizer.encode(prompt), firstScored: 1)]))
    let states = try pass.embeddings()
    let first = states.copy()
    try pass.run(layer: 0, states)
    return [first, states]
  }

  private func normalized(_ vector: [Float]) -> [Float] {
    let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return vector.map { $0 / norm }
  }

  private func sum(_ vectors: [[Float]]) -> [Float] {
    vectors.dropFirst().reduce(vectors[0]) { zip($0, $1).map(+) }
  }

  private func expectEqual(_ a: [Float], _ b: [Float], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 }, sourceLocation: sourceLocation)
  }

  @Test(arguments: [false, true]) func hidden(_ negative: Bool) throws {
    try merge("hidden", negative: negative)
    func last(_ prompt: String, _ layer: Int) throws -> [Float] {
      let states = try states(prompt)[layer]
      return states.row(states.rows - 1)
    }
    for layer in 0..<2 {
      var first = sum(try Self.prompts[0].map { try last($0, layer) }).map { $0 / 2 }
      if negative { first = zip(first, try last(Self.negative[0], layer)).map(-) }
      let gate = try bench.gate(layer: layer)
      expectEqual(gate[0], normalized(first))
      expectEqual(gate[1], normalized(try last(Self.prompts[1][0], layer)))
    }
  }

  @Test(arguments: [false, true]) func cheapEmbed(_ negative: Bool) throws {
    try merge("cheap_embed", negative: negative)
    func total(_ prompts: [String]) throws -> [Float] {
      sum(
        try prompts.flatMap { prompt in
          let embeddings = try states(prompt)[0]
          return (0..<embeddings.rows).map { embeddings.row($0) }
        })
    }
    var first = normalized(try total(Self.prompts[0]))
    if negative { first = normalized(zip(first, normalized(try total(Self.negative))).map(-)) }
    for layer in 0..<2 {
      let gate = try bench.gate(layer: layer)
      expectEqual(gate[0], first)
      expectEqual(gate[1], normalized(try total(Self.prompts[1])))
    }
  }

  @Test(arguments: ["random", "uniform_random"]) func random(_ mode: String) throws {
    // Needs no prompts, nor a tokenizer.
    try FileManager.default.removeItem(at: bench.folder["base/tokenizer.json"])
    func gates(seed: Int) throws -> [Float] {
      let yaml =
        "base_model: base\ngate_mode: \(mode)\nseed: \(seed)\ndtype: float32\nexperts:\n- source_model: a\n"
        + "- source_model: b\n"
      try bench.merge(MergeConfiguration(yaml: yaml, folder: bench.folder.url.path + "/"), force: true)
      return try (0..<2).flatMap { try bench.gate(layer: $0).flatMap { $0 } }
    }
    let numbers = try gates(seed: 4)
    #expect(Set(numbers).count == 64)
    #expect(try gates(seed: 4) == numbers)
    #expect(try gates(seed: 5) != numbers)
    let deviation = (numbers.reduce(0) { $0 + $1 * $1 } / 64).squareRoot()
    if mode == "random" {
      #expect((0.7...1.3).contains(deviation) && numbers.contains { abs($0) > 1 })
    } else {
      // Within ±1/√16; the deviation of a uniform number in ±a is a/√3.
      #expect(numbers.allSatisfy { abs($0) <= 0.25 } && (0.11...0.18).contains(deviation))
    }
  }

  @Test func promptsThatCancelOutAreRefused() throws {
    let configuration = try bench.configuration(a: ["negative_prompts: [Once upon a time]"])
    #expect { try bench.merge(configuration) } throws: {
      "\($0)".contains("experts[0]") && "\($0)".contains("cancel out")
    }
  }
}
