import CheckpointFixtures
import Checkpoints
import Foundation
import Models
import Tensors
import Testing

/// The fixtures of architectures, from their folders to GGUF and back: the same tensors, the same numbers.
struct FolderExportTests {
  private let folder: TemporaryFolder
  private var file: String { folder.path("model.gguf") }
  private var result: String { folder.path("folder") }

  init() throws { folder = try TemporaryFolder() }

  private func export(type: ElementType? = nil, shardSize: Int = 1 << 30) throws {
    _ = try FolderExport(Model(path: file), type: type).write(
      to: result, files: [], shardSize: shardSize, replacesExisting: false)
  }

  /// Tensors of a folder's files: types, shapes and bytes by name.
  private func tensors(_ folder: String) throws -> [String: [String]] {
    var result: [String: [String]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder)
    where name.hasPrefix("model") && name.hasSuffix(".safetensors") {
      let file = try SafetensorsFile(path: folder + "/" + name)
      for entry in file.entries {
        let bytes = file.file.region(entry.bytes).withBytes { "\(Array($0))" }
        result[entry.name] = [entry.type, "\(entry.shape)", bytes]
      }
    }
    return result
  }

  /// By code of the test's own, which knows layers that are dense in a mixture; experts in both ways that files have them.
  @Test(
    arguments: [
      ("llama", "llama"), ("llama-linear-tied", "llama"), ("llama-llama3", "llama"), ("mixtral", "llama"),
      ("qwen2", "qwen2"), ("qwen2_moe", "qwen2moe"), ("qwen3_moe", "qwen3moe"), ("olmoe", "olmoe"),
      ("olmoe-normalized", "olmoe"),
    ], [true, false])
  func thereAndBackAgain(_ model: (name: String, architecture: String), _ stacks: Bool) throws {
    let fixture = ArchitectureFixture(name: model.name)
    var conversion = try GGUFConversion(of: fixture.path, architecture: model.architecture)
    conversion.stacksExperts = stacks
    try conversion.write(to: file)
    try export(shardSize: 10_000)
    #expect(try tensors(result) == tensors(fixture.path))
    let names = try FileManager.default.contentsOfDirectory(atPath: result)
    #expect(names.contains("model.safetensors.index.json") && names.count { $0.hasSuffix(".safetensors") } > 2)

    let again = try Model(path: result)
    let original = try model.name == "mixtral" ? Model(path: withoutWindow(fixture)) : fixture.model
    #expect(again.sites == original.sites)
    #expect(try largestDifference(fixture.run(again).logits, fixture.run(original).logits) < 5e-5)
    // What a GGUF file says, its folder says as well.
    #expect(try largestDifference(fixture.run(again).logits, fixture.run(Model(path: file)).logits) < 5e-5)
  }

  /// GGUF has no window for Mixtral.
  private func withoutWindow(_ fixture: ArchitectureFixture) throws -> String {
    let target = folder.path("without")
    let copy = try fixture.copy(changing: ["sliding_window": "null"])
    try withExtendedLifetime(copy) {
      try FileManager.default.copyItem(at: copy.url, to: URL(filePath: target))
    }
    return target
  }

  private func writeGGUF(_ name: String, to file: String) throws {
    let model = try Model(path: folder.path(name))
    try GGUFExport(model, type: nil).write(
      to: GGUFExport.file(file, of: model, replacesExisting: true), tokenizer: [])
  }

  /// What the program writes itself: small tensors become F32, and come back as what they were.
  @Test func normsComeBackInTheTypeOfMatrices() throws {
    try TinyModel(seed: 5).write(to: folder["tiny"])
    try writeGGUF("tiny", to: file)
    try export()
    #expect(try tensors(result) == tensors(folder.path("tiny")))
    #expect(try Configuration(path: result + "/config.json").string("torch_dtype") == "bfloat16")
  }

  /// A norm that the type of matrices would round stays F32, so that what is computed stays.
  @Test func normsThatWouldBeRoundedStay() throws {
    var tiny = TinyModel(seed: 5)
    tiny.change("model.norm.weight") { norm in
      norm.type = "F32"
      norm.bytes = (0..<16).flatMap { littleEndian(UInt64(Float(1 + 0.001 * Float($0)).bitPattern)).prefix(4) }
    }
    try tiny.write(to: folder["tiny"])
    try writeGGUF("tiny", to: file)
    try export()
    #expect(try tensors(result) == tensors(folder.path("tiny")))
    try FileManager.default.removeItem(atPath: result)
    try export(type: .float32)
    #expect(try tensors(result).values.allSatisfy { $0[0] == "F32" })
    let numbers = try Model(path: result).weights(Model(path: result).layout.embedding).elements
    #expect(try numbers == Model(path: file).weights(Model(path: file).layout.embedding).elements)
  }

  @Test func whatIsRefused() throws {
    try TinyModel().write(to: folder["tiny"])
    let model = try Model(path: folder.path("tiny"))
    let error = #expect(throws: CheckpointError.self) { try FolderExport(model, type: nil) }
    #expect(error?.description.contains("Hugging Face folder already") == true)

    var conversion = try GGUFConversion(of: ArchitectureFixture(name: "llama-llama3").path, architecture: "llama")
    conversion.rotaryFactors = [1, 2, 1, 8]
    try conversion.write(to: file)
    let other = #expect(throws: CheckpointError.self) { try FolderExport(Model(path: file), type: nil) }
    #expect(other?.description.contains("rope_freqs.weight") == true)

    var large = TinyModel()
    large.change("lm_head.weight") { $0.bytes[1] = 0x7F }
    try large.write(to: folder["large"])
    try writeGGUF("large", to: folder.path("large.gguf"))
    let number = #expect(throws: CheckpointError.self) {
      try FolderExport(Model(path: folder.path("large.gguf")), type: .float16).write(
        to: result, files: [], shardSize: 1 << 20, replacesExisting: false)
    }
    #expect(number?.description.contains("output.weight") == true && number?.description.contains("--type") == true)
    #expect(!FileManager.default.fileExists(atPath: result))
  }
}
