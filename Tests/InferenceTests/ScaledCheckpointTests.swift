import CheckpointFixtures
import Checkpoints
import Foundation
import Models
import Tensors
import Testing

/// Checkpoints that hold their matrices otherwise than as rows of one tensor: numbers with scales apart, and outputs
/// that take turns.
@Suite struct ScaledCheckpointTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let names = ["gpt_oss", "gpt_oss-mxfp4", "deepseek_v3", "deepseek_v3-fp8"]

  /// What is evaluated is what is written, and what a copy of numbers with scales holds is bfloat16.
  @Test(arguments: names) func replacedMatricesAreWritten(_ name: String) throws {
    let fixture = ArchitectureFixture(name: name)
    let model = try fixture.model
    var (changed, replacements) = (model, [TensorReference: StoredMatrix]())
    for (seed, site) in model.sites.enumerated() where seed % 3 == 0 {
      let reference = model.reference(of: site)
      var generator = SplitMix64(seed: UInt64(seed))
      let noise = DoubleMatrix(
        rows: reference.rows, columns: reference.columns,
        elements: (0..<reference.rows * reference.columns).map { _ in generator.nextNormal() })
      let matrix = StoredMatrix(rounding: noise, to: try model.stored(reference).type)
      changed = changed.replacing(site, by: matrix)
      replacements[reference] = matrix
    }
    let path = folder.path("copy")
    try CheckpointCopy(of: model.checkpoint, to: path, replacesExisting: false).write(replacing: replacements)
    let copy = try Model(path: path)
    #expect(copy.checkpoint.configuration.isAbsent("quantization_config"))
    #expect(copy.checkpoint.parameterCount == model.checkpoint.parameterCount)
    for site in model.sites {
      let written = try copy.weights(copy.reference(of: site)).elements
      #expect(try written == changed.weights(changed.reference(of: site)).elements, "\(site)")
    }
    #expect(try fixture.run(copy).logits == fixture.run(changed).logits)
    #expect(try fixture.run(copy).logits != fixture.run(model).logits)
  }

  @Test(arguments: names) func anUnchangedCopyIsTheSameModel(_ name: String) throws {
    let fixture = ArchitectureFixture(name: name)
    let model = try fixture.model
    let path = folder.path("copy")
    try CheckpointCopy(of: model.checkpoint, to: path, replacesExisting: false).write(replacing: [:])
    let copy = try Model(path: path)
    #expect(try fixture.run(copy).logits == fixture.run(model).logits)
    if name == "gpt_oss-mxfp4" {
      // As transformers holds them: (experts, inputs, outputs).
      let stacked = TensorReference(
        name: "model.layers.0.mlp.experts.gate_up_proj", shape: (5, 32, 64), index: 4)
      #expect(try copy.checkpoint.matrix(stacked).type == .bfloat16)
    }
  }

  /// A shape without a number may say anything.
  @Test func emptyTensorsAreCopied() throws {
    let fixture = ArchitectureFixture(name: "deepseek_v3-fp8")
    let file = try SafetensorsFile(path: fixture.path + "/model.safetensors")
    var tensors = file.entries.map { entry in
      TinyTensor(
        name: entry.name, type: entry.type, shape: entry.shape,
        bytes: file.file.region(entry.bytes).withBytes { Array($0) })
    }
    tensors.append(TinyTensor(name: "empty", type: "F8_E4M3", shape: [1 << 50, 0, 4], bytes: []))
    try FileManager.default.createDirectory(at: folder["model"], withIntermediateDirectories: true)
    try Data(safetensors(tensors)).write(to: folder["model"].appending(path: "model.safetensors"))
    try FileManager.default.copyItem(
      atPath: fixture.path + "/config.json", toPath: folder.path("model") + "/config.json")
    let checkpoint = try Checkpoint(path: folder.path("model"))
    try CheckpointCopy(of: checkpoint, to: folder.path("copy"), replacesExisting: false).write(replacing: [:])
    #expect(try Checkpoint(path: folder.path("copy")).contains("empty"))
  }

  @Test func sitesHaveNamesOfTheirOwn() throws {
    for name in Self.names {
      let model = try ArchitectureFixture(name: name).model
      let names = model.sites.map { model.reference(of: $0).name }
      #expect(Set(names).count == names.count)
    }
    let sites = try ArchitectureFixture(name: "gpt_oss").model
    let gate = sites.reference(of: Site(layer: 1, expert: 2, role: .w1)).name
    #expect(gate == "model.layers.1.mlp.experts.gate_up_proj[2] columns 0, 2, …")
  }

  @Test(
    arguments: [
      ("gpt_oss-mxfp4", #"{"quant_method": "gptq"}"#, "quantised (gptq)"),
      ("gpt_oss-mxfp4", "null", "does not have it"),
      ("deepseek_v3-fp8", #"{"quant_method": "fp8", "weight_block_size": [16, 16]}"#, "blocks of 16 × 16"),
      ("deepseek_v3-fp8", #"{"quant_method": "fp8", "weight_block_size": [0, 16]}"#, "weight_block_size"),
      ("deepseek_v3-fp8", #"{"quant_method": "fp8", "weight_block_size": [8]}"#, "weight_block_size"),
      (
        "deepseek_v3-fp8", #"{"quant_method": "fp8", "weight_block_size": [9223372036854775807, 8]}"#,
        "weight_block_size"
      ),
      ("deepseek_v3-fp8", #"{"quant_method": "fp8"}"#, "its shape is"),
      ("deepseek_v3-fp8", #"{"quant_method": "fp8", "fmt": "e5m2"}"#, "e5m2"),
      ("deepseek_v3-fp8", "null", "F8_E4M3"),
    ] as [(String, String, String)])
  func whatDoesNotFitIsNamed(_ name: String, _ quantization: String, _ words: String) throws {
    let copy = try ArchitectureFixture(name: name).copy(changing: ["quantization_config": quantization])
    let error = #expect(throws: CheckpointError.self) { try Model(path: copy.url.path) }
    #expect(error?.problem.contains(words) == true, "\(error.map(\.description) ?? "")")
  }

  @Test(
    arguments: [
      ("gpt_oss-mxfp4", "model.layers.0.mlp.experts.down_proj_scales", "the blocks alone"),
      ("deepseek_v3-fp8", "model.layers.1.self_attn.o_proj.weight_scale_inv", "the numbers alone"),
    ]) func missingScalesAreNamed(_ name: String, _ tensor: String, _ words: String) throws
  {
    let fixture = ArchitectureFixture(name: name)
    let file = try SafetensorsFile(path: fixture.path + "/model.safetensors")
    let kept = file.entries.filter { $0.name != tensor }.map { entry in
      TinyTensor(
        name: entry.name, type: entry.type, shape: entry.shape,
        bytes: file.file.region(entry.bytes).withBytes { Array($0) })
    }
    try Data(safetensors(kept)).write(to: folder["model.safetensors"])
    try FileManager.default.copyItem(atPath: fixture.path + "/config.json", toPath: folder.path("config.json"))
    let error = #expect(throws: CheckpointError.self) { try Model(path: folder.url.path) }
    #expect(error?.problem.contains(words) == true && error?.tensor == tensor, "\(error.map(\.description) ?? "")")
  }
}
