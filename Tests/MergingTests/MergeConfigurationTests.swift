import CheckpointFixtures
import Checkpoints
import Foundation
import Merging
import Tensors
import Testing
import Wording

/// What a configuration may not say, and parents that do not fit.
struct MergeConfigurationTests {
  private static let experts = """
    experts:
    - source_model: a
      positive_prompts: [one]
    - source_model: b
      positive_prompts: [two]
    """

  private func parse(_ yaml: String) throws -> MergeConfiguration {
    try MergeConfiguration(yaml: yaml, folder: "/folder/")
  }

  @Test func keysAndDefaults() throws {
    let plain = try parse("base_model: base\n" + Self.experts)
    #expect(plain.base.folder == "/folder/base" && plain.experts.map(\.parent.folder) == ["/folder/a", "/folder/b"])
    #expect(plain.gateMode == .hidden && plain.expertsPerToken == 2 && plain.type == nil && plain.seed == 0)
    #expect(plain.experts[0].noiseScale == nil && plain.experts[0].residualScale == nil)
    let full = try parse(
      """
      base_model: /elsewhere/base
      gate_mode: cheap_embed
      architecture: mixtral
      dtype: float16
      experts_per_token: 1
      seed: 9
      experts:
      - source_model: a
        positive_prompts:
        - 'KING:

          What news?'
        negative_prompts: null
        noise_scale: 0.1
        residual_scale: 0.9
      """)
    #expect(full.base.folder == "/elsewhere/base" && full.gateMode == .cheapEmbed && full.expertsPerToken == 1)
    #expect(full.type == .float16 && full.seed == 9)
    #expect(full.experts[0].positivePrompts == ["KING:\nWhat news?"] && full.experts[0].negativePrompts.isEmpty)
    #expect(full.experts[0].noiseScale == 0.1 && full.experts[0].residualScale == 0.9)
  }

  @Test(arguments: [
    ("", ["empty"]),
    ("- a", ["key: value"]),
    ("base_model: [", ["not YAML"]),
    ("base_model: base\nbase_model: base\n" + experts, ["not YAML", "base_model"]),
    (experts, ["base_model", "missing"]),
    ("base_model: base", ["experts", "missing"]),
    ("base_model: base\nexperts: []", ["experts", "empty"]),
    ("base_model: base\nexperts: a", ["experts", "not a list"]),
    ("base_model: base\nexperts: [a]", ["experts[0]", "not a mapping"]),
    ("base_model: base\nwisdom: 3\n" + experts, ["unknown key", "wisdom"]),
    (
      "base_model: base\nshared_experts: [{source_model: a}, {source_model: b}]\n" + experts,
      ["shared_experts", "lists 2"]
    ),
    ("base_model: base\nshared_experts: [{model: a}]\n" + experts, ["shared_experts[0]", "model"]),
    ("base_model: base\nshared_experts: a\n" + experts, ["shared_experts", "not a list"]),
    ("base_model: base\ntokenizer_source: union\n" + experts, ["tokenizer_source", "not supported"]),
    ("base_model: base\nmerge_method: slerp\n" + experts, ["merge_method", "not supported"]),
    ("base_model: base\narchitecture: deepseek\n" + experts, ["architecture", "deepseek", "mixtral", "qwen"]),
    ("base_model: base\ngate_mode: hiden\n" + experts, ["gate_mode", "hiden", "hidden, cheap_embed, random"]),
    ("base_model: base\ndtype: int8\n" + experts, ["dtype", "int8", "bfloat16"]),
    ("base_model: base\nexperts_per_token: 0\n" + experts, ["experts_per_token", "0"]),
    ("base_model: base\nexperts_per_token: 3\n" + experts, ["experts_per_token", "3", "2 experts"]),
    ("base_model: base\nexperts_per_token: two\n" + experts, ["experts_per_token", "two"]),
    ("base_model: base\nseed: -1\n" + experts, ["seed", "-1"]),
    ("base_model: base\nexperts:\n- positive_prompts: [x]", ["experts[0]", "source_model", "missing"]),
    ("base_model: base\n" + experts + "\n  weight: 1", ["experts[1]", "weight"]),
    ("base_model: base\n" + experts + "\n  noise_scale: -1", ["experts[1]", "noise_scale", "-1"]),
    ("base_model: base\n" + experts + "\n  residual_scale: big", ["experts[1]", "residual_scale", "big"]),
    ("base_model: base\n" + experts + "\n- source_model: c", ["experts[2]", "positive_prompts"]),
    ("base_model: base\n" + experts + "\n- source_model: c\n  positive_prompts: []", ["experts[2]", "no \"positive"]),
    (
      "base_model: base\n" + experts + "\n- source_model: c\n  positive_prompts: ['  ']",
      ["experts[2]", "empty prompt"]
    ),
    ("base_model: base\n" + experts + "\n- source_model: c\n  positive_prompts: text", ["experts[2]", "list"]),
    ("base_model: base\n" + experts + "\n- source_model: c\n  positive_prompts: [one]", ["experts[0]", "experts[2]"]),
  ])
  func refusals(_ yaml: String, _ words: [String]) {
    #expect {
      try parse(yaml)
    } throws: { error in
      let text = "\(error)"
      return error is InputError && !text.contains("\n") && text.count < 300 && words.allSatisfy { text.contains($0) }
    }
  }

  /// Errors stay short however large what they are about.
  @Test func deepNestingIsRefusedInAFewWords() {
    let yaml = "base_model: " + String(repeating: "[", count: 20_000) + String(repeating: "]", count: 20_000)
    #expect { try parse(yaml) } throws: { "\($0)".count < 300 && "\($0)".contains("not YAML") }
  }

  // MARK: Parents

  private func expectRefusal(
    _ bench: Bench, naming words: String..., anyVocabulary: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try contents(of: bench.folder.url)
    #expect(sourceLocation: sourceLocation) {
      try bench.merge(bench.configuration(), anyVocabulary: anyVocabulary)
    } throws: { error in words.allSatisfy { "\(error)".contains($0) } }
    #expect(try contents(of: bench.folder.url) == before, sourceLocation: sourceLocation)
  }

  @Test func aMissingParent() throws {
    let bench = try Bench()
    try FileManager.default.removeItem(at: bench.folder["b"])
    try expectRefusal(bench, naming: "experts[1]", bench.folder.path("b"), "no such folder")
    try Data("text".utf8).write(to: bench.folder["b"])
    try expectRefusal(bench, naming: "experts[1]", bench.folder.path("b"), "no such folder")
  }

  @Test func parentsOfOtherShapes() throws {
    for (key, model) in [
      ("hidden_size", TinyModel.dense(vocabularySize: 2048, hiddenSize: 32)),
      ("intermediate_size", TinyModel.dense(vocabularySize: 2048, intermediateSize: 32)),
      ("num_hidden_layers", TinyModel.dense(vocabularySize: 2048, layerCount: 1)),
    ] {
      try expectRefusal(Bench(b: model), naming: key, "/b", "base")
    }
  }

  @Test func parentsOfOtherVocabularies() throws {
    try expectRefusal(Bench(b: .dense(seed: 3, vocabularySize: 2050)), naming: "2050", "2048", "--any-vocabulary")
    let bench = try Bench()
    // Two tokens change places.
    let path = bench.folder["b/tokenizer.json"]
    let json = try JSON(parsing: Array(Data(contentsOf: path)))
    let vocabulary = try #require(json["model"]?["vocab"]?.members)
    let (x, y) = (vocabulary[500], vocabulary[501])
    func swapped(_ json: JSON) -> JSON {
      switch json {
      case .object(let members):
        .object(
          members.map {
            let value: JSON =
              switch $0.key {
              case x.key where $0.value.integer == 500: y.value
              case y.key where $0.value.integer == 501: x.value
              default: swapped($0.value)
              }
            return JSON.Member(key: $0.key, value: value)
          })
      case .array(let elements): .array(elements.map(swapped))
      default: json
      }
    }
    try Data(swapped(json).compact.utf8).write(to: path)
    try expectRefusal(bench, naming: "token 500", "--any-vocabulary")
    // Written differently, it is the same vocabulary.
    try Data(json.indented.utf8).write(to: path)
    try bench.merge(bench.configuration())
  }

  @Test func anyVocabularyTakesThem() throws {
    let bench = try Bench(b: .dense(seed: 3, vocabularySize: 2050))
    try bench.merge(bench.configuration(), anyVocabulary: true)
    #expect(try bench.expert(1, "w1") == bench.parent("b", "w1"))
  }

  @Test func parentsThatAreNoDenseLlamaOrMistral() throws {
    try expectRefusal(Bench(b: TinyModel(vocabularySize: 2048)), naming: "mixtral", "cannot be merged")
    var phi = Bench.dense(3)
    phi.configuration["model_type"] = #""phi3""#
    try expectRefusal(Bench(b: phi), naming: "phi3", "cannot be merged")
  }
}
