import CheckpointFixtures
import Checkpoints
import Foundation
import Models
import Tensors
import Testing

struct CheckpointTests {
  private let folder: TemporaryFolder
  private var url: URL { folder["model"] }
  private var path: String { url.path }

  init() throws { folder = try TemporaryFolder() }

  // MARK: Folders

  @Test func foldersThatAreNone() throws {
    expectRefusal(.notFound, naming: path) { _ = try Checkpoint(path: path) }
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    expectRefusal(.notACheckpoint, naming: path, "config.json") { _ = try Checkpoint(path: path) }
    try Data("{}".utf8).write(to: url.appending(path: "config.json"))
    expectRefusal(.notACheckpoint, naming: path, "model.safetensors") { _ = try Checkpoint(path: path) }
  }

  @Test(arguments: ["", "{", "[]", "null", "\u{0}"]) func configurationsThatAreNoObject(_ text: String) throws {
    try TinyModel().write(to: url)
    try Data(text.utf8).write(to: url.appending(path: "config.json"))
    expectRefusal(.malformed, naming: "config.json") { _ = try Checkpoint(path: path) }
  }

  // MARK: Shards

  @Test func shardsHoldTheSameTensorsAsOneFile() throws {
    let model = TinyModel()
    try model.writeSharded(to: url)
    try model.write(to: folder["single"])
    let (sharded, single) = (try Checkpoint(path: path), try Checkpoint(path: folder.path("single")))
    #expect(sharded.tensorNames == model.tensors.map(\.name).sorted())
    #expect(sharded.byteCount == single.byteCount)
    #expect(sharded.fingerprint == single.fingerprint)
    _ = try Model(sharded)
  }

  @Test func missingShard() throws {
    try TinyModel().writeSharded(to: url)
    try FileManager.default.removeItem(at: url.appending(path: TinyModel.shardNames[1]))
    expectRefusal(.notFound, naming: TinyModel.shardNames[1]) { _ = try Checkpoint(path: path) }
  }

  /// Where an index says something else than the shards hold, the shards are right, as they are to transformers.
  @Test func anIndexThatIsNotExact() throws {
    try TinyModel().writeSharded(to: url)
    let fingerprint = try Checkpoint(path: path).fingerprint
    try TinyModel().writeIndex(to: url) { tensor, name in
      tensor == "lm_head.weight" ? TinyModel.shardNames.first { $0 != name } ?? "" : name
    }
    #expect(try Checkpoint(path: path).fingerprint == fingerprint, "the wrong shard")
    var other = TinyModel()
    other.remove("lm_head.weight")
    try other.writeIndex(to: url)
    #expect(try Checkpoint(path: path).fingerprint == fingerprint, "left out")
    other.tensors.append(TinyTensor(name: "inv_freq", type: "F32", shape: [1], bytes: [0, 0, 0, 0]))
    try other.writeIndex(to: url)
    #expect(try Model(path: path).checkpoint.fingerprint == fingerprint, "named and not there")
    var lacking = TinyModel()
    lacking.remove("lm_head.weight")
    try lacking.writeSharded(to: url)
    try TinyModel().writeIndex(to: url)
    expectRefusal(.missingTensor, naming: path, "lm_head.weight") { _ = try Model(path: path) }
  }

  /// As a folder is that was saved from the class without an output matrix; then the embedding has to be it.
  @Test func namesWithoutModel() throws {
    var tiny = TinyModel()
    tiny.configuration["tie_word_embeddings"] = "true"
    tiny.remove("lm_head.weight")
    try tiny.write(to: folder["with"])
    for index in tiny.tensors.indices { tiny.tensors[index].name = String(tiny.tensors[index].name.dropFirst(6)) }
    try tiny.write(to: url)
    let (model, with) = (try Model(path: path), try Model(path: folder.path("with")))
    #expect(model.checkpoint.tensorNames == with.checkpoint.tensorNames)
    for reference in [model.layout.embedding] + model.layout.layers[1].attention.matrices.prefix(1).map(\.reference) {
      #expect(try model.weights(reference).row(3) == with.weights(reference).row(3))
    }
    tiny.configuration["tie_word_embeddings"] = "false"
    try tiny.write(to: url)
    expectRefusal(.missingTensor, naming: "lm_head.weight") { _ = try Model(path: path) }
  }

  @Test func aTensorInTwoShards() throws {
    var tiny = TinyModel()
    try tiny.writeSharded(to: url)
    var other = TinyModel(seed: 2)
    other.tensors.removeAll { $0.name != "lm_head.weight" }
    // The first shard has the model's own, the second another one.
    let part = tiny.tensors.enumerated().filter { $0.offset % 2 == 1 && $0.element.name != "lm_head.weight" }
    try Data(safetensors(part.map(\.element) + other.tensors)).write(to: url.appending(path: TinyModel.shardNames[1]))
    for (name, expected) in zip(TinyModel.shardNames, [tiny, other]) {
      try tiny.writeIndex(to: url) { $0 == "lm_head.weight" ? name : $1 }
      let model = try Model(path: path)
      let bytes = try #require(expected.tensors.last?.bytes)
      #expect(
        try model.weights(model.layout.head).row(0).first?.bitPattern == UInt32(bytes[0]) << 16 | UInt32(bytes[1]) << 24
      )
    }
    tiny.remove("lm_head.weight")
    try tiny.writeIndex(to: url)
    expectRefusal(.malformed, naming: "lm_head.weight", "another shard") { _ = try Checkpoint(path: path) }
  }

  // MARK: Types and values that nothing needs

  /// Every type of safetensors 0.8, in a tensor that the model does not have; numbers of fewer bits than a byte are
  /// packed.
  @Test(
    arguments: [
      ("F4", 4, 2), ("F6_E2M3", 4, 3), ("F6_E3M2", 4, 3), ("F8_E8M0", 3, 3), ("F8_E4M3FNUZ", 3, 3),
      ("F8_E5M2FNUZ", 3, 3), ("C64", 2, 16),
    ]) func typesOfUnusedTensors(_ type: String, _ count: Int, _ byteCount: Int) throws
  {
    var model = TinyModel()
    model.tensors.append(
      TinyTensor(name: "scales", type: type, shape: [count], bytes: Array(repeating: 0, count: byteCount)))
    try model.write(to: url)
    #expect(try Model(path: path).checkpoint.contains("scales"))
  }

  @Test func numbersThatFillNoWholeBytes() throws {
    var model = TinyModel()
    model.tensors.append(TinyTensor(name: "scales", type: "F4", shape: [3], bytes: [0, 0]))
    try model.write(to: url)
    expectRefusal(.malformed, naming: "scales", "whole bytes") { _ = try Model(path: path) }
  }

  /// Python writes and reads them; in a key that matters they are no number.
  @Test(arguments: ["NaN", "Infinity", "-Infinity"]) func numbersThatOnlyPythonKnows(_ number: String) throws {
    var model = TinyModel()
    model.configuration["aux_loss"] = "[\(number)]"
    try model.write(to: url)
    #expect(try Model(path: path).configuration.layerCount == 2)
    model.configuration["rms_norm_eps"] = number
    try model.write(to: url)
    expectRefusal(.malformed, naming: "rms_norm_eps") { _ = try Model(path: path) }
    #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: Array("[\(number)]".utf8)) }
  }

  @Test(arguments: ["model.safetensors", "config.json"]) func pointersOfGitLFS(_ name: String) throws {
    try TinyModel().write(to: url)
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
    try Data(pointer.utf8).write(to: url.appending(path: name))
    expectRefusal(.notACheckpoint, naming: name, "git lfs pull") { _ = try Checkpoint(path: path) }
    try Data(pointer.utf8).write(to: folder["model.gguf"])
    expectRefusal(.notACheckpoint, naming: "model.gguf", "git lfs pull") {
      _ = try Checkpoint(path: folder.path("model.gguf"))
    }
  }

  @Test(arguments: ["", ".", "..", "../model.safetensors", "/etc/passwd", "a/b"])
  func shardNamesThatLeaveTheFolder(_ name: String) throws {
    try TinyModel().writeSharded(to: url)
    try TinyModel().writeIndex(to: url) { $0 == "lm_head.weight" ? name : $1 }
    expectRefusal(.malformed, naming: "index.json", "lm_head.weight") { _ = try Checkpoint(path: path) }
  }

  @Test(arguments: ["{}", #"{"weight_map": 1}"#, #"{"weight_map": {"a": 1}}"#]) func indexThatIsNone(_ text: String)
    throws
  {
    try TinyModel().writeSharded(to: url)
    try Data(text.utf8).write(to: url.appending(path: "model.safetensors.index.json"))
    expectRefusal(.malformed, naming: "index.json") { _ = try Checkpoint(path: path) }
  }

  // MARK: Configurations

  /// The key of config.json, what it becomes (nil: nothing), and the error.
  @Test(
    arguments: [
      ("model_type", nil, .malformed), ("model_type", "1", .malformed), ("model_type", #""gpt2""#, .unsupported),
      ("vocab_size", nil, .malformed), ("vocab_size", #""320""#, .malformed), ("vocab_size", "0", .malformed),
      ("vocab_size", "-1", .malformed), ("vocab_size", "1e30", .malformed), ("vocab_size", "319", .wrongShape),
      ("hidden_size", nil, .malformed), ("hidden_size", "32", .wrongShape), ("hidden_size", "1.5", .malformed),
      ("intermediate_size", nil, .malformed), ("intermediate_size", "25", .wrongShape),
      ("num_hidden_layers", nil, .malformed), ("num_hidden_layers", "2147483647", .malformed),
      ("num_hidden_layers", "3", .missingTensor), ("num_attention_heads", nil, .malformed),
      ("num_attention_heads", "4", .wrongShape), ("num_key_value_heads", "3", .malformed),
      ("num_key_value_heads", "2", .wrongShape), ("num_local_experts", nil, .wrongShape),
      ("num_local_experts", "3", .wrongShape), ("num_experts_per_tok", "3", .malformed), ("head_dim", "7", .malformed),
      ("head_dim", "2147483646", .malformed),
      ("rms_norm_eps", #""small""#, .malformed), ("rms_norm_eps", "-1", .malformed), ("rope_theta", "0", .malformed),
      ("tie_word_embeddings", "1", .malformed), ("hidden_act", #""gelu""#, .unsupported),
      ("rope_scaling", #"{"type": "dynamic", "factor": 4.0}"#, .unsupported),
      ("rope_parameters", #"{"rope_type": "llama3", "rope_theta": 1.0}"#, .malformed),
      ("attention_bias", "true", .unsupported), ("mlp_bias", "true", .unsupported),
      ("quantization_config", #"{"quant_method": "gptq"}"#, .unsupported),
      ("partial_rotary_factor", "0.5", .unsupported),
      ("sliding_window", "0", .malformed),
    ] as [(String, String?, CheckpointError.Code)])
  func configuration(_ key: String, _ value: String?, _ code: CheckpointError.Code) throws {
    var model = TinyModel()
    model.configuration[key] = value
    try model.write(to: url)
    expectRefusal(code, naming: path) { _ = try Model(path: path) }
  }

  @Test(
    arguments: [
      ("rope_scaling", "null"), ("rope_parameters", #"{"rope_type": "default", "rope_theta": 5.0}"#),
      ("sliding_window", "null"), ("quantization_config", "null"), ("attention_bias", "false"),
      ("hidden_act", #""swish""#),
      ("head_dim", "8"), ("anything_else", "{}"), ("num_experts_per_tok", nil),
    ] as [(String, String?)])
  func harmlessConfiguration(_ key: String, _ value: String?) throws {
    var model = TinyModel()
    model.configuration[key] = value
    try model.write(to: url)
    #expect(try Model(path: path).configuration.layerCount == 2)
  }

  // MARK: Tensors

  static let matrix = "model.layers.1.block_sparse_moe.experts.0.w2.weight"

  @Test func aMissingTensorIsNamed() throws {
    var model = TinyModel()
    model.remove(Self.matrix)
    try model.write(to: url)
    expectRefusal(.missingTensor, naming: path, Self.matrix) { _ = try Model(path: path) }
  }

  @Test func aTensorOfAnotherShapeIsNamedWithBothShapes() throws {
    var model = TinyModel()
    model.change(Self.matrix) { $0.shape = [24, 16] }  // as many bytes
    try model.write(to: url)
    expectRefusal(.wrongShape, naming: path, Self.matrix, "[24, 16]", "[16, 24]") { _ = try Model(path: path) }
  }

  @Test(arguments: [("I64", 8), ("F64", 8), ("F8_E4M3", 1), ("U8", 1)])
  func aTypeThatIsNotComputedWith(_ type: String, _ byteCount: Int) throws {
    var model = TinyModel()
    model.change(Self.matrix) {
      $0.type = type
      $0.bytes = Array(repeating: 0, count: 16 * 24 * byteCount)
    }
    try model.write(to: url)
    expectRefusal(.unsupported, naming: path, Self.matrix, type) { _ = try Model(path: path) }
  }

  @Test(arguments: [0x7F80, 0xFF80, 0x7FC0] as [UInt16]) func aNumberThatIsNotFiniteIsNamedWhenItIsRead(
    _ pattern: UInt16
  ) throws {
    var model = TinyModel()
    model.change(Self.matrix) {
      $0.bytes.replaceSubrange(100..<102, with: [UInt8(pattern & 0xFF), UInt8(pattern >> 8)])
    }
    try model.write(to: url)
    let opened = try Model(path: path)
    let reference = opened.reference(of: Site(layer: 1, expert: 0, role: .w2))
    #expect(reference.name == Self.matrix)
    expectRefusal(.notFinite, naming: path, Self.matrix) { _ = try opened.weights(reference) }
  }

  // MARK: Identity

  private func fingerprint(_ model: TinyModel, in name: String = "model") throws -> Fingerprint {
    try model.write(to: folder[name])
    return try Checkpoint(path: folder.path(name)).fingerprint
  }

  @Test func fingerprintFollowsContentsNotPlace() throws {
    let original = try fingerprint(TinyModel())
    #expect(try fingerprint(TinyModel(), in: "elsewhere") == original)
    #expect(try fingerprint(TinyModel(seed: 2)) != original)
    var configured = TinyModel()
    configured.configuration["rope_theta"] = "10001.0"
    #expect(try fingerprint(configured) != original)
    var renamed = TinyModel()
    renamed.change(Self.matrix) { $0.name += "2" }
    #expect(try fingerprint(renamed) != original)
  }

  @Test(arguments: TinyModel().tensors.map(\.name)) func fingerprintSeesEveryTensor(_ name: String) throws {
    var changed = TinyModel()
    changed.change(name) { tensor in tensor.bytes = tensor.bytes.map { $0 ^ 1 } }
    #expect(try fingerprint(changed) != fingerprint(TinyModel(), in: "original"))
  }
}
