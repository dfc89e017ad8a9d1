import CheckpointFixtures
import Checkpoints
import Foundation
import Models
import Tensors
import Testing

/// The fixtures of architectures, written as GGUF and read again: what transformers computed still comes out.
struct GGUFModelTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path("model.gguf") }

  init() throws { folder = try TemporaryFolder() }

  private func convert(_ name: String, _ architecture: String, stacks: Bool = true) throws -> ArchitectureFixture {
    let fixture = ArchitectureFixture(name: name)
    var conversion = try GGUFConversion(of: fixture.path, architecture: architecture)
    conversion.stacksExperts = stacks
    try conversion.write(to: path)
    return fixture
  }

  @Test(
    arguments: [
      ("llama", "llama"), ("llama-linear-tied", "llama"), ("llama-llama3", "llama"), ("qwen2", "qwen2"),
      ("qwen2_moe", "qwen2moe"), ("qwen3_moe", "qwen3moe"), ("olmoe", "olmoe"), ("olmoe-normalized", "olmoe"),
    ], [true, false])
  func logitsAreThoseOfTransformers(_ model: (name: String, architecture: String), _ stacks: Bool) throws {
    let fixture = try convert(model.name, model.architecture, stacks: stacks)
    let logits = try fixture.run(Model(path: path)).logits
    #expect(try largestDifference(logits, fixture.recorded.floats("logits")) < 5e-5)
  }

  /// What the program writes itself: every architecture that has a name there, as far as it has one.
  @Test(
    arguments: [
      ("llama", [:]), ("llama-linear-tied", [:]), ("llama-llama3", [:]), ("llama-llama3-parameters", [:]),
      ("mistral-window", ["sliding_window": "null"]), ("mixtral", ["sliding_window": "null"]), ("qwen2", [:]),
      ("qwen2-window-yarn", ["use_sliding_window": "false"]), ("qwen2_moe", ["num_hidden_layers": "1"]),
      (
        "qwen3-layer-types",
        [
          "use_sliding_window": "false", "layer_types": nil,
          "rope_parameters": #"{"rope_type": "yarn", "rope_theta": 200, "factor": 8,"#
            + #""original_max_position_embeddings": 8}"#,
        ]
      ),
      (
        "qwen3_moe-window",
        [
          "use_sliding_window": "false", "norm_topk_prob": "true",
          "rope_scaling": #"{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}"#,
        ]
      ), ("olmoe-heads", [:]), ("gemma2-plain", [:]), ("gemma3", [:]), ("gemma3-whole", [:]), ("glm4_moe", [:]),
      ("glm4_moe-plain", [:]), ("granite", ["attention_bias": "false"]), ("granitemoe", [:]), ("olmo2-plain", [:]),
      ("smollm3", [:]), ("mistral3-whole", ["text_config": Self.textWithoutWindow]),
      ("dots1", ["attention_bias": "false", "sliding_window": "null"]), ("ernie4_5_moe", [:]),
      ("olmo3", ["rope_parameters": Self.olmo3Rotation, "rope_scaling": nil, "rope_theta": nil]),
      ("gpt_oss", Self.asInLlamaCpp), ("gpt_oss-mxfp4", Self.asInLlamaCpp),
    ] as [(String, [String: String?])])
  func whatIsExportedIsReadAgain(_ name: String, _ changes: [String: String?]) throws {
    let fixture = ArchitectureFixture(name: name)
    let copy = try fixture.copy(changing: changes)
    let model = try Model(path: copy.url.path)
    try GGUFExport(model, type: .f32).write(
      to: GGUFExport.file(path, of: model, replacesExisting: false), tokenizer: [])
    let (mine, theirs) = (try fixture.run(Model(path: path)).logits, try fixture.run(model).logits)
    #expect(largestDifference(mine, theirs) < 5e-5)
    #expect(try Checkpoint(path: path).gguf?["general.file_type"]?.integer == 0)
    // And as a folder again.
    _ = try FolderExport(Model(path: path), type: nil).write(
      to: folder.path("folder"), files: [], shardSize: 1 << 30, replacesExisting: false)
    let again = try fixture.run(Model(path: folder.path("folder"))).logits
    #expect(largestDifference(again, theirs) < 5e-5)
  }

  private static let olmo3Rotation = #"""
    {"full_attention": {"rope_type": "yarn", "rope_theta": 500000, "factor": 4, "original_max_position_embeddings": 16,
    "attention_factor": 1.1386294361119891}, "sliding_attention": {"rope_type": "default", "rope_theta": 500000}}
    """#

  /// The numbers of gpt-oss that GGUF has no keys for.
  private static let asInLlamaCpp: [String: String?] = [
    "swiglu_alpha": "1.702", "swiglu_limit": "7.0",
    "rope_parameters": #"{"rope_type": "yarn", "rope_theta": 200, "factor": 8, "truncate": false,"#
      + #""original_max_position_embeddings": 8, "beta_fast": 32.0, "beta_slow": 1.0}"#,
  ]

  private static let textWithoutWindow = #"""
    {"model_type": "mistral", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 100.0,
    "sliding_window": null, "tie_word_embeddings": false}
    """#

  @Test(
    arguments: [
      ("gemma2", "query_pre_attn_scalar"), ("gemma3-parameters", "query_pre_attn_scalar"),
      ("smollm3-layers", "no_rope_layers"), ("gpt_oss", "swiglu_limit"),
      ("olmo3", "rope_theta"), ("ministral3", "ministral3"), ("dots1", "attention_bias"), ("gemma4", "gemma4"),
      ("deepseek_v3", "deepseek_v3"),
      ("phi3-partial", "phi3"), ("qwen3-bias", "attention_bias"), ("olmoe-normalized", "norm_topk_prob"),
      ("olmoe", "num_key_value_heads"),
      ("mixtral", "window"), ("mistral-window", "window"), ("qwen2_moe", "dense layers"),
      ("qwen3_moe-stacked", "dense layers"), ("qwen3_moe-window", "norm_topk_prob"),
    ]) func whatCannotBeExportedIsNamed(_ name: String, _ word: String) throws
  {
    let model = try ArchitectureFixture(name: name).model
    let error = #expect(throws: CheckpointError.self) { try GGUFExport(model, type: nil) }
    #expect(error?.problem.contains(word) == true, "\(error.map(\.description) ?? "")")
  }

  /// GGUF has no window for Mixtral, so it is compared without one.
  @Test(arguments: [true, false]) func mixtralIsLlamaWithExperts(_ stacks: Bool) throws {
    let fixture = try convert("mixtral", "llama", stacks: stacks)
    let model = try Model(path: path)
    let original = try fixture.copy(changing: ["sliding_window": "null"])
    let theirs = try fixture.run(Model(path: original.url.path)).logits
    #expect(try largestDifference(fixture.run(model).logits, theirs) < 5e-5)
    #expect(model.sites == (try fixture.model.sites))
    let names = model.sites.map { model.reference(of: $0).name }
    #expect(Set(names).count == names.count)
    #expect(names.contains(stacks ? "blk.0.ffn_gate_exps.weight[1]" : "blk.0.ffn_gate.1.weight"))
  }

  /// Experts stacked in one tensor are replaced one by one, and what is evaluated is what is written.
  @Test(arguments: [true, false]) func replacedMatricesAreWritten(_ stacks: Bool) throws {
    let fixture = try convert("mixtral", "llama", stacks: stacks)
    var model = try Model(path: path)
    var replacements: [TensorReference: StoredMatrix] = [:]
    for site in [Site(layer: 0, expert: 1, role: .w1), Site(layer: 1, expert: nil, role: .query)] {
      let reference = model.reference(of: site)
      let halved = DoubleMatrix(try model.weights(reference)).elements.map { $0 / 2 }
      let matrix = StoredMatrix(
        rounding: DoubleMatrix(rows: reference.rows, columns: reference.columns, elements: halved),
        to: try model.stored(reference).type)
      model = model.replacing(site, by: matrix)
      replacements[reference] = matrix
    }
    let copy = try CheckpointCopy(of: model.checkpoint, to: folder.path("copy.gguf"), replacesExisting: false)
    try copy.write(replacing: replacements)
    let before = try fixture.run(Model(path: path)).logits
    let after = try fixture.run(Model(path: folder.path("copy.gguf"))).logits
    #expect(try after == fixture.run(model).logits && after != before)
  }

  /// Rewrites the converted file with some tensors replaced by others.
  private func rewrite(
    leavingOut names: Set<String>, adding added: [(tensor: GGUFWriter.Tensor, bytes: [UInt8])]
  ) throws -> String {
    let file = try GGUFFile(path: path)
    let kept = file.tensors.filter { !names.contains($0.name) }
    let writer = GGUFWriter(
      metadata: file.metadata,
      tensors: kept.map { .init(name: $0.name, type: $0.type, shape: $0.shape) } + added.map(\.tensor))
    let places = Dictionary(uniqueKeysWithValues: kept.map { ($0.name, $0.bytes) })
    let bytes = Dictionary(uniqueKeysWithValues: added.map { ($0.tensor.name, $0.bytes) })
    let target = folder.path("rewritten.gguf")
    try writer.write(to: target) { tensor throws(CheckpointError) in
      places[tensor.name].map { file.file.region($0) as any ByteRegion } ?? OwnedBytes(bytes[tensor.name] ?? [])
    }
    return target
  }

  /// Gate and up projections of all experts in one tensor, gates first.
  @Test func mergedGateAndUpAreRead() throws {
    let fixture = try convert("mixtral", "llama")
    let file = try GGUFFile(path: path)
    var removed: Set<String> = []
    var merged: [(tensor: GGUFWriter.Tensor, bytes: [UInt8])] = []
    for layer in 0..<2 {
      let names = ["gate", "up"].map { "blk.\(layer).ffn_\($0)_exps.weight" }
      removed.formUnion(names)
      let parts = try names.map { name in
        let tensor = try #require(file.tensors.first { $0.name == name })
        return (tensor, file.file.region(tensor.bytes).withBytes { Array($0) })
      }
      let (tensor, size) = (parts[0].0, parts[0].1.count / parts[0].0.shape[0])
      merged.append(
        (
          .init(
            name: "blk.\(layer).ffn_gate_up_exps.weight", type: tensor.type,
            shape: [tensor.shape[0], 2 * tensor.shape[1], tensor.shape[2]]),
          (0..<tensor.shape[0]).flatMap { expert in
            parts.flatMap { $0.1[expert * size..<(expert + 1) * size] }
          }
        ))
    }
    let model = try Model(path: rewrite(leavingOut: removed, adding: merged))
    #expect(try fixture.run(model).logits == fixture.run(Model(path: path)).logits)
    #expect(model.reference(of: Site(layer: 0, expert: 1, role: .w3)).name.contains("ffn_gate_up_exps.weight[1] rows"))
    // And taken apart again.
    let again = folder.path("again.gguf")
    try GGUFExport(model, type: nil).write(
      to: GGUFExport.file(again, of: model, replacesExisting: false), tokenizer: [])
    #expect(try fixture.run(Model(path: again)).logits == fixture.run(model).logits)
  }

  @Test func aFolderWithOneGGUFFileIsACheckpoint() throws {
    _ = try convert("llama", "llama")
    #expect(try Model(path: folder.url.path).checkpoint.path == path)
    #expect(try Checkpoint(path: path).fingerprint == Checkpoint(path: folder.url.path).fingerprint)
  }

  /// The fixture with other metadata.
  ///
  /// - Parameters:
  ///   - changed: Members that the file has instead of its own.
  ///   - tensor: One that it has besides, of a number.
  private func write(of name: String = "llama", _ changed: [GGUFFile.Member], tensor: String? = nil) throws {
    _ = try convert(name, "llama")
    let file = try GGUFFile(path: path)
    let metadata = file.metadata.filter { member in !changed.contains { $0.key == member.key } } + changed
    let tensors = file.tensors.map { GGUFWriter.Tensor(name: $0.name, type: $0.type, shape: $0.shape) }
    let writer = GGUFWriter(
      metadata: metadata, tensors: tensors + (tensor.map { [.init(name: $0, type: .init(.float32), shape: [1])] } ?? [])
    )
    let places = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.bytes) })
    try writer.write(to: folder.path("changed.gguf")) { tensor throws(CheckpointError) in
      file.file.region(places[tensor.name] ?? 0..<tensor.byteCount)
    }
  }

  private func refusal(of name: String = "llama", _ changed: GGUFFile.Member..., tensor: String? = nil) throws -> String
  {
    try write(of: name, changed, tensor: tensor)
    let error = #expect(throws: CheckpointError.self) { try Model(path: folder.path("changed.gguf")) }
    return error?.description ?? ""
  }

  /// Keys that say what is so anyhow.
  @Test func harmlessKeysAreRead() throws {
    let cases: [(String, GGUFValue)] = [
      ("tensor_data_layout", .string("Meta AI original pth")), ("use_parallel_residual", .boolean(false)),
      ("attention.causal", .boolean(true)), ("rope.scaling.attn_factor", .float32(1)),
      ("rope.scaling.yarn_beta_fast", .float32(32)), ("attention.head_count", .int32s([4, 4])),
      ("feed_forward_length", .int32s([40, 40])),
    ]
    let fixture = try convert("llama", "llama")
    let expected = try fixture.run(Model(path: path)).logits
    for (key, value) in cases {
      if let own = try GGUFFile(path: path)["llama.\(key)"]?.integer, let numbers = value.integers {
        try #require(numbers[0] == own, "the fixture's \(key) is \(own)")
      }
      try write([.init(key: "llama.\(key)", value: value)])
      #expect(try fixture.run(Model(path: folder.path("changed.gguf"))).logits == expected, "\(key)")
      try FileManager.default.removeItem(at: folder["changed.gguf"])
    }
  }

  @Test func whatIsNotComputedIsRefusedByName() throws {
    let cases: [(String, GGUFValue, String)] = [
      ("general.architecture", .string("t5"), "t5"),
      ("general.architecture", .uint32(1), "general.architecture"),
      ("llama.attention.sliding_window", .uint32(128), "sliding_window"),
      ("llama.rope.scaling.type", .string("longrope"), "longrope"),
      ("llama.something.new", .boolean(true), "something.new"),
      ("llama.attention.causal", .boolean(false), "attention.causal\" at false"),
      ("llama.use_parallel_residual", .boolean(true), "use_parallel_residual"),
      ("llama.rope.scaling.attn_factor", .float32(0), "attn_factor"),
      ("llama.attention.head_count_kv", .int32s([1, 2]), "head_count_kv"),
      ("llama.vocab_size", .uint32(3), "vocab_size"),
    ]
    for (key, value, word) in cases {
      #expect(try refusal(.init(key: key, value: value)).contains(word), "\(key)")
    }
  }

  /// Numbers of a mixture that no model has, and names of the other format.
  @Test(arguments: [-1, .min] as [Int32]) func impossibleNumbersAndNamesAreRefused(_ layers: Int32) throws {
    let unused = try refusal(
      .init(key: "llama.block_count", value: .int32(layers)), .init(key: "llama.expert_count", value: .uint32(4)))
    #expect(!unused.isEmpty)
    #expect(
      try refusal(of: "mixtral", .init(key: "llama.block_count", value: .int32(layers))).contains("num_hidden_layers"))
    for name in ["llama", "mixtral"] {
      let tensor = "model.layers.0.mlp.experts.gate_up_proj"
      #expect(try refusal(of: name, tensor: tensor).contains("gate_up_proj"))
    }
  }
}
