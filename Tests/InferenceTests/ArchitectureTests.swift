import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Models
import RankReduction
import Tensors
import Testing
import Wording

/// A small model with random weights, and what transformers computed for it: see Tests/Fixtures/architectures.
struct ArchitectureFixture: Sendable, CustomTestStringConvertible {
  let name: String

  static let folder = Folders.fixtures + "/architectures"
  static let all = [
    "llama", "llama-linear-tied", "llama-llama3", "llama-llama3-parameters", "mistral-window", "mixtral", "qwen2",
    "qwen2-window-yarn", "qwen3-layer-types", "qwen3-bias", "qwen2_moe", "qwen2_moe-normalized", "qwen3_moe",
    "qwen3_moe-window", "olmoe", "olmoe-normalized", "olmoe-heads", "phi3-window", "phi3-partial", "gemma2",
    "gemma2-plain", "gemma3", "gemma3-whole", "gemma3-parameters", "glm4_moe", "glm4_moe-plain", "dots1", "granite",
    "granitemoe", "olmo2", "olmo2-plain", "olmo3", "smollm3", "smollm3-layers", "ministral3", "mistral3-whole",
    "deepseek_v2", "deepseek_v2-groups", "deepseek_v3", "deepseek_v3-plain", "glm4_moe_lite",
    "ernie4_5_moe", "qwen3_next", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe-whole",
    "gpt_oss", "gpt_oss-mxfp4", "deepseek_v3-fp8", "gemma4", "gemma4-mixture", "gemma4-whole",
  ].map(Self.init)
  /// Those whose experts are stored both one by one and stacked.
  static let stacked = ["mixtral", "qwen2_moe", "qwen3_moe", "olmoe"].map(Self.init)

  var testDescription: String { name }
  var path: String { "\(Self.folder)/\(name)" }
  var model: Model { get throws { try Model(path: path) } }
  var stackedModel: Model { get throws { try Model(path: path + "-stacked") } }
  var recorded: RecordedTensors { get throws { try RecordedTensors(path: path + "/reference.safetensors") } }

  /// Logits and, by layer, routing.
  func run(_ model: Model) throws -> (logits: [Float], routings: [Routing]) {
    let ids = try recorded.integers("input_ids")
    let forward = try ForwardPass(model, WindowBatch([WindowBatch.Window(tokens: ids, firstScored: 1)]))
    let states = try forward.embeddings()
    let routings = try (0..<model.configuration.layerCount).map { try forward.run(layer: $0, states) }
    return (try forward.logits(states).elements, routings)
  }

  /// The same weights under a changed configuration, in a folder that lives as long as the value that is returned.
  ///
  /// - Parameter changes: What keys become, as JSON; nil takes a key away.
  func copy(changing changes: [String: String?]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let bytes = try Data(contentsOf: URL(filePath: path + "/config.json"))
    var object = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    for (key, value) in changes {
      object[key] = try value.map { try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed) }
    }
    try JSONSerialization.data(withJSONObject: object).write(to: folder["config.json"])
    try FileManager.default.createSymbolicLink(
      at: folder["model.safetensors"], withDestinationURL: URL(filePath: path + "/model.safetensors"))
    return folder
  }
}

@Suite struct ArchitectureTests {
  @Test func everyFixtureIsTested() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: ArchitectureFixture.folder)
      .filter { !$0.contains(".") && !$0.hasSuffix("-stacked") }
    #expect(folders.sorted() == ArchitectureFixture.all.map(\.name).sorted())
  }

  @Test(arguments: ArchitectureFixture.all) func logitsAndRoutingAreThoseOfTransformers(
    _ fixture: ArchitectureFixture
  ) throws {
    let model = try fixture.model
    let recorded = try fixture.recorded
    let (logits, routings) = try fixture.run(model)
    let theirs = try recorded.floats("logits")
    // Logits reach 26; float32 results of that size that were added up in another order differ by some 1e-5.
    #expect(largestDifference(logits, theirs) < 5e-5)
    for (number, routing) in routings.enumerated() {
      let layer = model.layout.layers[number]
      guard layer.router != nil, let count = model.configuration.mixture?.expertsPerToken else {
        #expect(!recorded.contains("router.\(number).experts"))
        #expect(routing.expertsPerToken == 1)
        continue
      }
      let experts = try recorded.integers("router.\(number).experts")
      let weights = try recorded.floats("router.\(number).weights")
      #expect(routing.expertsPerToken == count + (layer.shared == nil ? 0 : 1))
      for token in 0..<experts.count / count {
        // transformers lists a token's experts by weight, we by number, and then the shared one.
        let theirs = (token * count..<(token + 1) * count).sorted { experts[$0] < experts[$1] }
        let ours = token * routing.expertsPerToken..<token * routing.expertsPerToken + count
        #expect(theirs.map { experts[$0] } == Array(routing.experts[ours]))
        #expect(zip(theirs, ours).allSatisfy { abs(weights[$0] - routing.weights[$1]) < 1e-5 })
      }
    }
  }

  @Test(arguments: ArchitectureFixture.stacked) func stackedExpertsAreTheSameSitesAndNumbers(
    _ fixture: ArchitectureFixture
  ) throws {
    let (single, stacked) = (try fixture.model, try fixture.stackedModel)
    #expect(single.sites == stacked.sites)
    for site in single.sites {
      let matrices = try [single, stacked].map { try $0.weights($0.reference(of: site)).elements }
      #expect(matrices[0] == matrices[1], "\(site)")
    }
    let names = stacked.sites.map { stacked.reference(of: $0).name }
    #expect(Set(names).count == names.count)
    #expect(names.contains { $0.hasSuffix("mlp.experts.gate_up_proj[1] rows 0..<\(stacked.expertWidth)") })
    #expect(names.contains { $0.hasSuffix("mlp.experts.down_proj[1]") })
    #expect(try fixture.run(single).logits == fixture.run(stacked).logits)
  }

  /// Each option of the fixtures moves the logits far more than the agreement above allows.
  @Test(
    arguments: [
      ("llama", "rope_theta", "90.0"), ("llama-linear-tied", "rope_scaling", "null"),
      ("llama-llama3", "rope_scaling", "null"), ("mistral-window", "sliding_window", "8"),
      ("mixtral", "sliding_window", "null"), ("mixtral", "num_experts_per_tok", "3"),
      ("qwen2-window-yarn", "use_sliding_window", "false"), ("qwen2-window-yarn", "max_window_layers", "2"),
      ("qwen2-window-yarn", "rope_scaling", "null"),
      ("qwen2-window-yarn", "rope_scaling", #"{"type": "linear", "factor": 4.0}"#),
      ("qwen2", "use_sliding_window", "true"),
      ("qwen3-layer-types", "layer_types", #"["sliding_attention", "full_attention", "full_attention"]"#),
      ("qwen3-bias", "rope_parameters", #"{"rope_type": "yarn", "rope_theta": 200, "factor": 2.0}"#),
      ("qwen2_moe", "norm_topk_prob", "true"), ("qwen2_moe-normalized", "norm_topk_prob", "false"),
      ("qwen2_moe-normalized", "use_sliding_window", "false"), ("qwen3_moe", "norm_topk_prob", "false"),
      ("qwen3_moe-window", "use_sliding_window", "false"), ("olmoe", "norm_topk_prob", "true"),
      ("phi3-window", "sliding_window", "null"),
      ("gemma2", "query_pre_attn_scalar", "12"), ("gemma2", "attn_logit_softcapping", "null"),
      ("gemma2", "final_logit_softcapping", "null"), ("gemma2", "sliding_window", "8"),
      ("gemma3", "rope_local_base_freq", "40.0"), ("gemma3", "rope_scaling", "null"),
      ("gemma3", "sliding_window_pattern", "3"), ("gemma3-parameters", "final_logit_softcapping", "null"),
      ("glm4_moe", "n_group", "2"), ("glm4_moe", "topk_group", "3"), ("glm4_moe", "routed_scaling_factor", "1.4"),
      ("glm4_moe", "norm_topk_prob", "false"), ("glm4_moe", "partial_rotary_factor", "1.0"),
      ("glm4_moe", "use_qk_norm", "false"), ("dots1", "max_window_layers", "3"),
      ("granite", "embedding_multiplier", "2.9"), ("granite", "residual_multiplier", "0.41"),
      ("granite", "attention_multiplier", "0.25"), ("granite", "logits_scaling", "2.4"),
      ("granitemoe", "residual_multiplier", "0.41"), ("olmo3", "rope_scaling", "null"),
      ("olmo3", "sliding_window", "6"), ("smollm3", "no_rope_layer_interval", "3"),
      ("smollm3-layers", "no_rope_layers", "[1, 1, 1]"),
      ("deepseek_v3", "rope_interleave", "false"), ("deepseek_v3", "n_group", "2"),
      (
        "deepseek_v3", "rope_scaling", #"{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}"#
      ),
      ("gemma4", "final_logit_softcapping", "null"), ("gemma4", "sliding_window", "7"),
      ("gemma4-mixture", "top_k_experts", "3"),
      ("gpt_oss", "swiglu_limit", "1.5"), ("gpt_oss", "swiglu_alpha", "1.7"), ("gpt_oss", "sliding_window", "7"),
      ("qwen3_next", "norm_topk_prob", "true"), ("ernie4_5_moe", "moe_k", "3"),
      ("deepseek_v3-plain", "rope_interleave", "true"), ("deepseek_v2", "routed_scaling_factor", "1.2"),
      ("deepseek_v2-groups", "topk_method", #""greedy""#), ("glm4_moe_lite", "rope_theta", "90.0"),
      (
        "ministral3", "rope_parameters",
        #"""
        {"type": "yarn", "rope_theta": 200, "factor": 4, "original_max_position_embeddings": 16, "beta_fast": 8,
        "mscale": 1, "mscale_all_dim": 1, "llama_4_scaling_beta": 0.5}
        """#
      ),
    ]) func optionsCount(_ name: String, _ key: String, _ value: String) throws
  {
    let fixture = ArchitectureFixture(name: name)
    let folder = try fixture.copy(changing: [key: value])
    let changed = try fixture.run(Model(path: folder.url.path)).logits
    #expect(try largestDifference(changed, fixture.recorded.floats("logits")) > 1e-2)
  }

  /// Ways of saying the same.
  @Test(
    arguments: [
      (
        "llama-llama3",
        [
          "rope_scaling": nil, "rope_theta": nil,
          "rope_parameters": #"""
          {"rope_type": "llama3", "rope_theta": 500, "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
          "original_max_position_embeddings": 32}
          """#,
        ]
      ),
      (
        "qwen2-window-yarn",
        ["rope_scaling": #"{"rope_type": "yarn", "factor": 4}"#, "original_max_position_embeddings": "16"]
      ),
      (
        "qwen2-window-yarn",
        ["layer_types": #"["full_attention", "sliding_attention", "sliding_attention"]"#, "max_window_layers": "0"]
      ),
      (
        "qwen2-window-yarn",
        [
          "max_position_embeddings": "64",
          "rope_scaling": #"{"type": "yarn", "factor": null, "original_max_position_embeddings": 16}"#,
        ]
      ),
      (
        "qwen2-window-yarn",
        [
          "rope_scaling": #"""
          {"type": "yarn", "factor": 4, "original_max_position_embeddings": 16, "mscale": 0, "mscale_all_dim": 1,
          "beta_fast": 0, "beta_slow": 0}
          """#
        ]
      ),
      ("mixtral", ["num_experts_per_tok": nil]),
      ("mistral-window", ["layer_types": #"["sliding_attention", "sliding_attention"]"#]),
      ("qwen3_moe", ["num_experts": nil, "num_local_experts": "5", "sliding_window": "4"]),
      ("qwen2_moe", ["mlp_only_layers": "[]", "decoder_sparse_step": "1", "mlp_only_layers": "[1, 7]"]),
      ("phi3-window", ["rope_scaling": #"{"type": "default"}"#, "original_max_position_embeddings": "64"]),
      ("gemma2", ["layer_types": #"["sliding_attention", "full_attention", "sliding_attention"]"#, "hidden_act": nil]),
      (
        "gemma3",
        [
          "rope_theta": nil, "rope_local_base_freq": nil, "rope_scaling": nil,
          "rope_parameters": #"""
          {"full_attention": {"rope_type": "linear", "rope_theta": 200, "factor": 3},
          "sliding_attention": {"rope_type": "default", "rope_theta": 30}}
          """#,
        ]
      ),
      ("glm4_moe", ["n_routed_experts": nil, "num_local_experts": "8", "scoring_func": #""sigmoid""#]),
      ("smollm3", ["no_rope_layer_interval": nil, "no_rope_layers": "[1, 1, 1, 0]"]),
    ] as [(String, KeyValuePairs<String, String?>)])
  func theSameSaidOtherwise(_ name: String, _ changes: KeyValuePairs<String, String?>) throws {
    let fixture = ArchitectureFixture(name: name)
    let folder = try fixture.copy(changing: Dictionary(changes.map { ($0, $1) }) { _, last in last })
    #expect(try fixture.run(Model(path: folder.url.path)).logits == fixture.run(fixture.model).logits)
  }

  @Test(
    arguments: [
      ("llama", "model_type", #""phimoe""#, ["phimoe", "mixtral", "olmoe"]),
      ("gemma2", "use_bidirectional_attention", "true", ["use_bidirectional_attention"]),
      ("gemma2", "hidden_activation", #""relu""#, ["relu", "gelu_pytorch_tanh"]),
      ("gemma3", "attn_logit_softcapping", "30.0", ["attn_logit_softcapping"]),
      ("gemma3", "rope_parameters", #"{"chunked_attention": {}}"#, ["chunked_attention"]),
      ("gemma3-whole", "text_config", "null", ["text_config"]),
      ("gemma4", "hidden_size_per_layer_input", "8", ["hidden_size_per_layer_input"]),
      ("gemma4", "num_kv_shared_layers", "1", ["num_kv_shared_layers"]),
      ("gemma4", "use_bidirectional_attention", #""all""#, ["use_bidirectional_attention"]),
      ("gemma4", "num_global_key_value_heads", "3", ["4 heads", "3"]),
      ("gemma4-mixture", "num_key_value_heads", "3", ["4 heads", "3"]),
      ("gemma4-mixture", "top_k_experts", "6", ["6 of 5 experts"]),
      ("gpt_oss", "swiglu_limit", "-1", ["swiglu_limit"]),
      ("gpt_oss", "intermediate_size", "31", ["gate_up_proj", "62"]),
      ("gpt_oss-mxfp4", "intermediate_size", "33", ["gate_up_proj_blocks", "66"]),
      ("glm4_moe", "n_group", "3", ["groups"]), ("glm4_moe", "topk_group", "1", ["3 experts", "groups"]),
      ("glm4_moe", "topk_group", "5", ["groups"]), ("glm4_moe", "scoring_func", #""softmax""#, ["scoring_func"]),
      ("glm4_moe", "n_shared_experts", "-1", ["n_shared_experts"]),
      ("smollm3", "no_rope_layers", "[1]", ["no_rope_layers"]),
      ("deepseek_v3", "num_key_value_heads", "2", ["num_key_value_heads"]),
      ("deepseek_v3", "qk_rope_head_dim", "5", ["pairs"]),
      ("deepseek_v3", "kv_lora_rank", "15", ["kv_a_proj", "[21, 32]"]),
      ("deepseek_v3", "q_lora_rank", "null", ["q_proj.weight"]),
      ("deepseek_v3", "v_head_dim", "2147483647", ["v_head_dim"]),
      ("deepseek_v2", "topk_method", #""noaux_tc""#, ["topk_method"]),
      ("qwen3_next", "linear_num_value_heads", "3", ["heads of values"]),
      ("qwen3_next", "linear_conv_kernel_dim", "3", ["conv1d.weight", "[56, 1, 3]"]),
      ("qwen3_next", "layer_types", #"["full_attention"]"#, ["layer_types"]),
      ("ernie4_5_moe", "use_bias", "true", ["use_bias"]),
      ("qwen3_next", "linear_key_head_dim", "16384", ["linear"]),
      ("gemma2", "final_logit_softcapping", "1e-300", ["final_logit_softcapping", "float32"]),
      ("granite", "residual_multiplier", "1e300", ["residual_multiplier", "float32"]),
      ("ernie4_5_moe", "moe_layer_start_index", "0", ["layers.0.mlp"]),
      ("qwen3_next", "linear_key_head_dim", "2147483647", ["linear_key_head_dim"]),
      ("glm4_moe_lite", "mlp_layer_types", #"["dense"]"#, ["mlp_layer_types"]),
      ("smollm3", "use_sliding_window", "true", ["use_sliding_window"]),
      (
        "ministral3", "rope_parameters", #"{"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 4}"#,
        ["llama_4_scaling_beta"]
      ),
      ("llama", "mlp_bias", "true", ["mlp_bias"]),
      ("mistral-window", "attention_bias", "true", ["attention_bias"]),
      ("llama", "rope_scaling", #"{"rope_type": "longrope", "factor": 2}"#, ["longrope"]),
      ("llama", "rope_scaling", #"{"type": "dynamic", "factor": 2}"#, ["dynamic", "rope_scaling"]),
      ("llama", "rope_scaling", #"{"type": "linear"}"#, ["factor"]),
      ("llama", "rope_scaling", #"{"type": "linear", "factor": 2, "mrope_section": [4]}"#, ["mrope_section"]),
      ("llama", "rope_scaling", #"{"rope_type": 3}"#, ["rope_type"]),
      ("llama", "rope_scaling", "7", ["rope_scaling"]),
      ("llama", "rope_parameters", #"{"full_attention": {"rope_theta": 10}}"#, ["full_attention", "rope_parameters"]),
      ("llama", "partial_rotary_factor", "0.5", ["partial_rotary_factor"]),
      ("llama", "layer_types", #"["full_attention", "sliding_attention"]"#, ["sliding_attention", "layer 1"]),
      (
        "llama-llama3", "rope_scaling",
        #"{"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}"#, ["low_freq_factor"]
      ),
      ("llama-llama3", "original_max_position_embeddings", "64", ["original_max_position_embeddings"]),
      ("mistral-window", "layer_types", #"["sliding_attention", "full_attention"]"#, ["full_attention", "layer 1"]),
      ("mixtral", "layer_types", #"["chunked_attention", "chunked_attention"]"#, ["chunked_attention"]),
      ("qwen2", "layer_types", #"["full_attention", "sliding_attention"]"#, ["sliding_attention", "layer 1"]),
      ("qwen2-window-yarn", "layer_types", #"["full_attention", "linear_attention", "full_attention"]"#, ["linear_"]),
      ("qwen3-layer-types", "layer_types", #"["full_attention"]"#, ["layer_types"]),
      ("qwen3-layer-types", "sliding_window", "null", ["sliding_window"]),
      ("qwen3_moe-window", "layer_types", #"["full_attention", "full_attention"]"#, ["full_attention", "layer 0"]),
      ("qwen2_moe", "mlp_only_layers", #"["1"]"#, ["mlp_only_layers"]),
      ("qwen2_moe", "mlp_only_layers", "[]", ["layers.1.mlp.gate.weight"]),
      ("qwen2_moe", "decoder_sparse_step", "0", ["decoder_sparse_step"]),
      ("qwen2_moe", "num_local_experts", "6", ["num_local_experts", "num_experts"]),
      ("qwen2_moe", "shared_expert_intermediate_size", "21", ["shared_expert", "21"]),
      ("olmoe", "clip_qkv", "8.0", ["clip_qkv"]), ("olmoe", "sliding_window", "16", ["sliding_window"]),
      ("phi3-window", "rope_scaling", #"{"type": "su", "short_factor": [1], "long_factor": [1]}"#, ["su"]),
      ("phi3-window", "rope_scaling", #"{"type": "linear", "factor": 2}"#, ["linear"]),
      ("phi3-partial", "partial_rotary_factor", "1.5", ["partial_rotary_factor"]),
      ("phi3-partial", "partial_rotary_factor", "0.3", ["pairs"]),
      ("phi3-partial", "num_key_value_heads", "1", ["qkv_proj", "[96, 32]"]),
    ]) func whatIsNotComputedIsRefusedByName(_ name: String, _ key: String, _ value: String, _ words: [String]) throws
  {
    let folder = try ArchitectureFixture(name: name).copy(changing: [key: value])
    let error = #expect(throws: CheckpointError.self) { _ = try Model(path: folder.url.path) }
    for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "no error")") }
  }

  /// What adapters ask: how programs name modules.
  @Test func modulesOfOtherPrograms() throws {
    func model(_ name: String) throws -> Model { try ArchitectureFixture(name: name).model }
    #expect(try model("granitemoe").expertsModule == "block_sparse_moe.experts")
    #expect(try model("mixtral").expertsModule == "mlp.experts" && model("gemma4-mixture").expertsModule == "experts")
    #expect(try model("gemma3-whole").isPartOfAnother && !model("gemma3").isPartOfAnother)
  }

  // MARK: Sites

  @Test func sharedExpertsAndDenseLayersAreSites() throws {
    let sites = try ArchitectureFixture(name: "qwen2_moe").model.sites
    // Attention 4, experts 5 × 3, shared 3; the dense layer 4 + 3.
    #expect([0, 1, 2].map { layer in sites.count { $0.layer == layer } } == [22, 7, 22])
    #expect(sites.filter { $0.role == .sharedW1 }.map(\.description) == ["layer 0 shared_w1", "layer 2 shared_w1"])
    #expect(sites.filter { $0.layer == 1 && $0.role == .w1 }.map(\.description) == ["layer 1 w1"])
    #expect(Set(sites).count == sites.count)
  }

  @Test(
    arguments: [
      ("all", "all", [Role.w1], ["2:0", "2:1", "2:2", "2:3", "2:4", "1", "0:0", "0:1", "0:2", "0:3", "0:4"]),
      ("0-1", "3", [.w1], ["0:3"]),
      ("1", "all", [.w1], ["1"]),
      ("all", "2", [.w1, .sharedW1], ["2:2", "2", "0:2", "0"]),
      ("all", "all", [.sharedW2], ["2", "0"]),
    ]) func selection(_ layers: String, _ experts: String, _ roles: [Role], _ expected: [String]) throws
  {
    let selection = SiteSelection(
      layers: try #require(IndexList(layers)), experts: try #require(IndexList(experts)), roles: roles)
    let sites = try selection.sites(of: ArchitectureFixture(name: "qwen2_moe").model)
    #expect(sites.map { "\($0.layer)" + ($0.expert.map { ":\($0)" } ?? "") } == expected)
  }

  @Test(
    arguments: [
      ("mixtral", "all", "all", Role.sharedW1, "shared_w1"), ("qwen2_moe", "1", "0", .w1, "select no matrix"),
      ("qwen2_moe", "all", "5", .w1, "expert 5"), ("qwen2_moe", "3", "all", .w1, "layer 3"),
      ("llama", "all", "1", .w1, "expert 1"),
    ])
  func selectionsThatTheModelCannotHave(
    _ name: String, _ layers: String, _ experts: String, _ role: Role, _ words: String
  ) throws {
    let selection = SiteSelection(
      layers: try #require(IndexList(layers)), experts: try #require(IndexList(experts)), roles: [role])
    let model = try ArchitectureFixture(name: name).model
    let error = #expect(throws: InputError.self) { try selection.sites(of: model) }
    #expect(error?.description.contains(words) == true)
  }

  /// Written in its place, whatever else is in the tensor, and read back as it was evaluated.
  @Test(arguments: ["qwen2_moe", "qwen2_moe-stacked", "mixtral-stacked", "olmoe-stacked", "phi3-window"])
  func reducedMatricesAreWrittenInTheirPlaces(_ name: String) throws {
    let fixture = ArchitectureFixture(name: name.replacing("-stacked", with: ""))
    let model = try Model(path: ArchitectureFixture(name: name).path)
    let reduced = model.sites.enumerated().filter { $0.offset % 3 != 1 }.map(\.element)
    let reductions = reduced.map { Reduction(site: $0, kind: .weights, rank: 4) }
    let matrices = try Reducer(model, base: nil).reduced(reductions)
    let folder = try TemporaryFolder()
    try CheckpointCopy(of: model.checkpoint, to: folder.path("copy"), replacesExisting: false).write(
      replacing: Dictionary(uniqueKeysWithValues: matrices.map { (model.reference(of: $0.site), $0.matrix) }))
    let written = try Model(path: folder.path("copy"))
    let expected = matrices.reduce(model) { $0.replacing($1.site, by: $1.matrix) }
    for site in model.sites {
      let reference = model.reference(of: site)
      let bytes = try [written, expected, model].map { try $0.stored(reference).region.withBytes { Array($0) } }
      #expect(bytes[0] == bytes[1], "\(site)")
      #expect((bytes[0] == bytes[2]) == !reduced.contains(site), "\(site)")
    }
    #expect(try fixture.run(written).logits == fixture.run(expected).logits)

    let entries = reductions.map { Plan.Entry($0, model: model, delta: 0, standardError: 0) }
    let plan = Plan(model: model.checkpoint.fingerprint.description, base: nil, reductions: entries)
    try Data(plan.yaml.utf8).write(to: folder["plan.yaml"])
    #expect(try Plan(file: folder.path("plan.yaml")).reductions(for: model) == reductions)
  }

  /// A dense layer stands for all experts of the same shape; what has no counterpart is refused by name.
  @Test func aBaseNeedsAMatrixOfTheSameShape() throws {
    let model = try ArchitectureFixture(name: "qwen2_moe").model
    let itself = try Reducer(model, base: model)
    for site in model.sites { try itself.check(site) }
    let stacked = try Reducer(model, base: ArchitectureFixture(name: "qwen2_moe").stackedModel)
    let site = Site(layer: 2, expert: 3, role: .w3)
    let zero = try stacked.decompose(site).reduced(to: 0)
    #expect(try zero.decoded().elements == model.weights(model.reference(of: site)).elements)

    let other = try Reducer(model, base: ArchitectureFixture(name: "qwen2-window-yarn").model)
    try other.check(Site(layer: 1, expert: nil, role: .w1))
    let shape = #expect(throws: InputError.self) { try other.check(site) }
    #expect(
      shape?.description.contains("layer 2 expert 3 w3") == true && shape?.description.contains("40 × 32") == true)
    let shared = #expect(throws: InputError.self) { try other.check(Site(layer: 0, expert: nil, role: .sharedW1)) }
    #expect(shared?.description.contains("layer 0 shared_w1") == true)
  }
}

extension Model {
  fileprivate var expertWidth: Int { configuration.mixture?.intermediateSize ?? 0 }
}
