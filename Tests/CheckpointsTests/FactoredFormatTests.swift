import CheckpointFixtures
import Checkpoints
import Foundation
import Models
import Tensors
import Testing

/// Folders in which some matrices are stored as two factors: read, refused, and copied.
struct FactoredFormatTests {
  private let folder: TemporaryFolder
  private var source: URL { folder["source"] }
  private var target: URL { folder["target"] }

  private static let tall = "model.layers.0.block_sparse_moe.experts.1.w1.weight"
  private static let wide = "model.layers.1.block_sparse_moe.experts.0.w2.weight"
  private static let left = "model.layers.0.block_sparse_moe.experts.1.w1.left.weight"
  private static let right = "model.layers.0.block_sparse_moe.experts.1.w1.right.weight"

  init() throws { folder = try TemporaryFolder() }

  private func tiny() -> TinyModel {
    var model = TinyModel()
    model.factor(Self.tall, rank: 3)
    model.factor(Self.wide, rank: 2, seed: 8)
    return model
  }

  private func checkpoint(_ tiny: TinyModel) throws -> Checkpoint {
    try tiny.writeFactored(to: source)
    return try Checkpoint(path: source.path)
  }

  private static let tallReference = TensorReference(name: tall, rows: 24, columns: 16)
  private static let wideReference = TensorReference(name: wide, rows: 16, columns: 24)

  /// Σ left · right in float64, of bf16 numbers.
  private func product(_ tiny: TinyModel, _ module: String, _ rows: Int, _ rank: Int, _ columns: Int) throws -> [Double]
  {
    func numbers(_ name: String) throws -> [Double] {
      let bytes = try #require(tiny.tensors.first { $0.name == name }).bytes
      return stride(from: 0, to: bytes.count, by: 2).map {
        Double(Float(bitPattern: UInt32(bytes[$0]) << 16 | UInt32(bytes[$0 + 1]) << 24))
      }
    }
    let (left, right) = (try numbers(module + ".left.weight"), try numbers(module + ".right.weight"))
    return (0..<rows * columns).map { place in
      (0..<rank).reduce(0) { sum, inner in
        sum + left[place / columns * rank + inner] * right[inner * columns + place % columns]
      }
    }
  }

  @Test func factorsStandForTheirProduct() throws {
    let tiny = tiny()
    let checkpoint = try checkpoint(tiny)
    #expect(checkpoint.isFactored)
    for (reference, rank) in [(Self.tallReference, 3), (Self.wideReference, 2)] {
      let matrix = try checkpoint.matrix(reference)
      #expect(matrix.factors?.rank == rank && matrix.type == .bfloat16)
      let expected = try product(
        tiny, String(reference.tensor.dropLast(7)), reference.rows, rank, reference.columns)
      let values = try matrix.doubles(rows: 0..<reference.rows, columns: 0..<reference.columns)
      for (value, expected) in zip(values.elements, expected) {
        #expect(abs(value - expected) <= 0x1p-8 * abs(expected) + 0x1p-20)
      }
    }
    // A model like any other, with the same sites.
    try TinyModel().write(to: folder["plain"])
    #expect(try Model(checkpoint).sites == Model(path: folder.path("plain")).sites)
  }

  // MARK: Refusals

  private func expectRefused(
    _ code: CheckpointError.Code, naming words: String..., change: (inout TinyModel) -> Void
  ) throws {
    var tiny = tiny()
    change(&tiny)
    try? FileManager.default.removeItem(at: source)
    try tiny.writeFactored(to: source)
    let error = #expect(throws: CheckpointError.self) { _ = try Model(path: source.path) }
    guard let error else { return }
    #expect(error.code == code, "\(error)")
    for word in words { #expect(error.description.contains(word), "\(error)") }
    #expect(!error.description.contains { $0.isNewline }, "\(error)")
  }

  @Test func damagedFactors() throws {
    try expectRefused(.missingTensor, naming: Self.right, "other factor") { $0.remove(Self.right) }
    try expectRefused(.missingTensor, naming: Self.left, "other factor") { $0.remove(Self.left) }
    try expectRefused(.missingTensor, naming: Self.tall) {
      $0.remove(Self.left)
      $0.remove(Self.right)
    }
    // As many bytes in each.
    try expectRefused(.wrongShape, naming: Self.left, "[3, 24]", "[24, rank]") { tiny in
      tiny.change(Self.left) { $0.shape = [3, 24] }
    }
    try expectRefused(.wrongShape, naming: Self.left, "[72]") { tiny in tiny.change(Self.left) { $0.shape = [72] } }
    try expectRefused(.wrongShape, naming: Self.right, "[16, 3]", "[3, 16]") { tiny in
      tiny.change(Self.right) { $0.shape = [16, 3] }
    }
    try expectRefused(.wrongShape, naming: Self.right, "[4, 16]", "[3, 16]") { tiny in
      tiny.change(Self.right) { tensor in
        tensor.shape = [4, 16]
        tensor.bytes += [UInt8](repeating: 0, count: 32)
      }
    }
    try expectRefused(.unsupported, naming: Self.right, "F16", "BF16") { tiny in
      tiny.change(Self.right) { $0.type = "F16" }
    }
    try expectRefused(.unsupported, naming: Self.left, "I16") { tiny in
      for name in [Self.left, Self.right] { tiny.change(name) { $0.type = "I16" } }
    }
  }

  @Test func damagedNumbers() throws {
    var tiny = tiny()
    tiny.change(Self.left) { $0.bytes.replaceSubrange(10..<12, with: [0xC0, 0x7F]) }
    let model = try Model(checkpoint(tiny))
    expectRefusal(.notFinite, naming: Self.tall, "factored.safetensors", "NaN") {
      _ = try model.weights(Self.tallReference)
    }
  }

  /// Factors without a rank take no bytes, so that a small file could claim a matrix of any size.
  @Test func hostileSizes() throws {
    for (rows, columns) in [(1 << 30, 1 << 30), (1 << 16, 1 << 16), (.max, 2)] {
      var tiny = tiny()
      tiny.change(Self.left) { ($0.shape, $0.bytes) = ([rows, 0], []) }
      tiny.change(Self.right) { ($0.shape, $0.bytes) = ([0, columns], []) }
      try tiny.writeFactored(to: source)
      let error = #expect(throws: CheckpointError.self) {
        _ = try Checkpoint(path: source.path).matrix(TensorReference(name: Self.tall, rows: rows, columns: columns))
      }
      #expect(error?.code == .wrongShape || error?.code == .malformed, "\(String(describing: error))")
    }
  }

  @Test func configurations() throws {
    try expectRefused(.unsupported, naming: "config.json", "version") {
      $0.configuration["quantization_config"] = #"{"quant_method": "laser-factored", "version": 3}"#
    }
    try expectRefused(.unsupported, naming: "config.json", "version") {
      $0.configuration["quantization_config"] = #"{"quant_method": "laser-factored"}"#
    }
    // Without the word, the folder is none that anyone should read: not ours either.
    try expectRefused(.notACheckpoint, naming: "model.safetensors") { $0.configuration["quantization_config"] = nil }
    try tiny().write(to: folder["named"])
    expectRefusal(.notACheckpoint, naming: "factored.safetensors") {
      _ = try Checkpoint(path: folder.path("named"))
    }
    // Only a folder that says so has factors.
    var plain = tiny()
    plain.configuration["quantization_config"] = nil
    try plain.write(to: folder["plain"])
    expectRefusal(.missingTensor, naming: Self.tall) { _ = try Model(path: folder.path("plain")) }
  }

  // MARK: Copies

  private func copy(
    _ checkpoint: Checkpoint, as form: MatrixForm, replacing: [TensorReference: StoredMatrix] = [:], force: Bool = false
  ) throws {
    try CheckpointCopy(of: checkpoint, to: target.path, as: form, replacesExisting: force)
      .write(replacing: replacing)
  }

  @Test(arguments: [false, true]) func aFactoredCopyHasFactorsAndEverythingElse(_ sharded: Bool) throws {
    let tiny = TinyModel()
    if sharded { try tiny.writeSharded(to: source) } else { try tiny.write(to: source) }
    try Data("beside".utf8).write(to: source.appending(path: "notes.txt"))
    let checkpoint = try Checkpoint(path: source.path)
    var other = TinyModel()
    other.factor(Self.tall, rank: 3)
    try other.writeFactored(to: folder["other"])
    let factors = try Checkpoint(path: folder.path("other")).matrix(Self.tallReference)
    // Another one is replaced, but stays dense.
    let dense = StoredMatrix(
      type: .bfloat16, rows: 16, columns: 24, region: OwnedBytes([UInt8](repeating: 0x3C, count: 2 * 16 * 24)))
    try copy(checkpoint, as: .factored, replacing: [Self.tallReference: factors, Self.wideReference: dense])
    let names = try FileManager.default.contentsOfDirectory(atPath: target.path).sorted()
    #expect(names.contains("notes.txt") && !names.contains { $0.hasPrefix("model") })
    #expect(names.contains("factored.safetensors.index.json") == sharded)
    let written = try Checkpoint(path: target.path)
    #expect(written.fileCount == (sharded ? 2 : 1))
    #expect(written.isFactored && !written.contains(Self.tall) && written.contains(Self.left))
    #expect(written.byteCount == checkpoint.byteCount - 2 * (24 * 16 - 3 * (24 + 16)))
    for tensor in tiny.tensors where tensor.name != Self.tall && tensor.name != Self.wide {
      #expect(written.holdsSame(tensor.name, as: checkpoint), "\(tensor.name)")
    }
    #expect(try bytes(written, Self.tallReference) == factors.region.withBytes { Array($0) })
    #expect(try bytes(written, Self.wideReference) == dense.region.withBytes { Array($0) })
    let configuration = try Configuration(path: target.path + "/config.json")
    #expect(configuration["quantization_config"]?["quant_method"]?.string == "laser-factored")
    #expect(configuration["model_type"]?.string == "mixtral" && configuration["rms_norm_eps"]?.number == 1e-5)
    _ = try Model(written)
    // The same bytes again, in place of the first ones.
    let before = try contents(of: target)
    try copy(
      checkpoint, as: .factored, replacing: [Self.tallReference: factors, Self.wideReference: dense], force: true)
    #expect(try contents(of: target) == before)
  }

  private func bytes(_ checkpoint: Checkpoint, _ reference: TensorReference) throws -> [UInt8] {
    try checkpoint.matrix(reference).region.withBytes { Array($0) }
  }

  @Test func aDenseCopyOfFactorsIsACommonCheckpoint() throws {
    let checkpoint = try checkpoint(tiny())
    try copy(checkpoint, as: .dense)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: target.path).sorted() == ["config.json", "model.safetensors"])
    let written = try Checkpoint(path: target.path)
    #expect(!written.isFactored && written.configuration.isAbsent("quantization_config"))
    #expect(written.tensorNames == TinyModel().tensors.map(\.name).sorted())
    for reference in [Self.tallReference, Self.wideReference] {
      #expect(try bytes(written, reference) == bytes(checkpoint, reference))
    }
    _ = try Model(written)
  }

  @Test func factorsAreCopiedAndReplaced() throws {
    let checkpoint = try checkpoint(tiny())
    let dense = StoredMatrix(
      type: .bfloat16, rows: 16, columns: 24, region: OwnedBytes([UInt8](repeating: 0x3C, count: 2 * 16 * 24)))
    try copy(checkpoint, as: .factored, replacing: [Self.wideReference: dense])
    let written = try Checkpoint(path: target.path)
    #expect(written.holdsSame(Self.left, as: checkpoint) && written.holdsSame(Self.right, as: checkpoint))
    #expect(try written.matrix(Self.wideReference).factors == nil)
    #expect(try bytes(written, Self.wideReference) == dense.region.withBytes { Array($0) })
  }

  /// Rows of a larger tensor, and a tensor of a type that is not computed with, go along.
  @Test func whatElseATensorMayBe() throws {
    var tiny = TinyModel()
    var generator = SeededGenerator(seed: 5)
    tiny.tensors.append(TinyTensor(name: "stack", shape: [3, 4, 5], scale: 1, from: &generator))
    tiny.tensors.append(TinyTensor(name: "counts", type: "I64", shape: [2], bytes: [UInt8](0..<16)))
    try tiny.write(to: source)
    let checkpoint = try Checkpoint(path: source.path)
    let slices = [(1, 2..<4, UInt8(1)), (0, 0..<1, UInt8(2)), (2, 0..<4, UInt8(3))]
    var replacements: [TensorReference: StoredMatrix] = [:]
    for (index, rows, value) in slices {
      replacements[TensorReference(name: "stack", shape: (count: 3, rows: 4, columns: 5), index: index, rows: rows)] =
        StoredMatrix(
          type: .bfloat16, rows: rows.count, columns: 5,
          region: OwnedBytes([UInt8](repeating: value, count: 10 * rows.count)))
    }
    try copy(checkpoint, as: .factored, replacing: replacements)
    let written = try SafetensorsFile(path: target.path + "/factored.safetensors")
    func bytes(_ name: String) throws -> [UInt8] {
      let entry = try #require(written.entries.first { $0.name == name })
      return written.file.withBytes { Array($0[entry.bytes]) }
    }
    var expected = try #require(tiny.tensors.first { $0.name == "stack" }).bytes
    expected.replaceSubrange(0..<10, with: [UInt8](repeating: 2, count: 10))
    expected.replaceSubrange(60..<80, with: [UInt8](repeating: 1, count: 20))
    expected.replaceSubrange(80..<120, with: [UInt8](repeating: 3, count: 40))
    #expect(try bytes("stack") == expected)
    #expect(try bytes("counts") == [UInt8](0..<16))
  }

  @Test func aForeignFileIsNotReplaced() throws {
    let checkpoint = try checkpoint(tiny())
    try copy(checkpoint, as: .dense)
    try Data("mine".utf8).write(to: target.appending(path: "mine.txt"))
    expectRefusal(.exists, naming: "mine.txt") { try copy(checkpoint, as: .dense, force: true) }
  }
}
