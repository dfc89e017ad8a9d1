import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

struct CheckpointCopyTests {
  private let folder: TemporaryFolder
  private let manager = FileManager.default
  private var source: URL { folder["source"] }
  private var target: URL { folder["target"] }

  init() throws { folder = try TemporaryFolder() }

  private func original(sharded: Bool = false) throws -> Checkpoint {
    if sharded { try TinyModel().writeSharded(to: source) } else { try TinyModel().write(to: source) }
    return try Checkpoint(path: source.path)
  }

  private func copy(_ checkpoint: Checkpoint, to target: String? = nil, force: Bool = false) throws -> CheckpointCopy {
    try CheckpointCopy(of: checkpoint, to: target ?? self.target.path, replacesExisting: force)
  }

  /// Everything beside the target too: a copy may leave no temporary names behind.
  private var names: [String] {
    get throws { try manager.contentsOfDirectory(atPath: folder.url.path).sorted() }
  }

  private static let replaced = [
    "model.layers.0.self_attn.v_proj.weight", "model.layers.1.block_sparse_moe.experts.1.w2.weight",
  ]

  private func replacements(_ checkpoint: Checkpoint) throws -> [TensorReference: StoredMatrix] {
    try flipped(
      zip(Self.replaced, [(8, 16), (16, 24)]).map { TensorReference(name: $0, rows: $1.0, columns: $1.1) }, checkpoint)
  }

  /// The matrices with some bits of every byte turned over.
  private func flipped(
    _ references: [TensorReference], _ checkpoint: Checkpoint
  ) throws -> [TensorReference: StoredMatrix] {
    var result: [TensorReference: StoredMatrix] = [:]
    for reference in references {
      let original = try checkpoint.matrix(reference)
      let bytes = original.region.withBytes { $0.map { $0 ^ 0x15 } }
      result[reference] = StoredMatrix(
        type: original.type, rows: reference.rows, columns: reference.columns, region: OwnedBytes(bytes))
    }
    return result
  }

  @Test(arguments: [false, true]) func withoutReplacementsEveryFileIsTheSame(_ sharded: Bool) throws {
    let checkpoint = try original(sharded: sharded)
    try manager.createDirectory(at: source.appending(path: "sub/deep"), withIntermediateDirectories: true)
    try Data("read me".utf8).write(to: source.appending(path: "README.md"))
    try Data().write(to: source.appending(path: "empty"))
    try Data("nested".utf8).write(to: source.appending(path: "sub/deep/file.txt"))
    try copy(checkpoint).write(replacing: [:])
    #expect(try contents(of: target) == contents(of: source))
    #expect(try names == ["source", "target"])
  }

  /// The model once more in another form, as Llama's original/ is: not reduced, so not copied.
  @Test func weightsWithinFoldersStayBehind() throws {
    let checkpoint = try original()
    try manager.createDirectory(at: source.appending(path: "original"), withIntermediateDirectories: true)
    for name in ["original/consolidated.00.pth", "original/params.json", "pytorch_model.bin"] {
      try Data([1]).write(to: source.appending(path: name))
    }
    let copy = try copy(checkpoint)
    #expect(copy.weightFilesLeftOut == ["original/consolidated.00.pth"])
    #expect(copy.untouchedWeightFiles == ["pytorch_model.bin"])
    try copy.write(replacing: [:])
    #expect(try manager.contentsOfDirectory(atPath: target.path + "/original") == ["params.json"])
    #expect(manager.fileExists(atPath: target.path + "/pytorch_model.bin"))
  }

  @Test(arguments: [false, true]) func onlyTheBytesOfReplacedTensorsChange(_ sharded: Bool) throws {
    let checkpoint = try original(sharded: sharded)
    let before = try contents(of: source)
    var seen: [Int] = []
    try copy(checkpoint).write(replacing: try replacements(checkpoint)) { done, total in
      seen.append(done)
      #expect(done <= total)
    }
    #expect(seen == seen.sorted() && !seen.isEmpty)
    // The same files made from tensors that were changed before they were written.
    var changed = TinyModel()
    for name in Self.replaced { changed.change(name) { tensor in tensor.bytes = tensor.bytes.map { $0 ^ 0x15 } } }
    if sharded { try changed.writeSharded(to: folder["expected"]) } else { try changed.write(to: folder["expected"]) }
    #expect(try contents(of: target) == contents(of: folder["expected"]))
    #expect(try contents(of: source) == before)
  }

  /// Rows of a stack of matrices, and of a matrix, by where they lie among the tensor's numbers.
  private static let slices: [(TensorReference, numbers: Range<Int>)] = [
    (TensorReference(name: "stack", shape: (count: 3, rows: 4, columns: 5), index: 1, rows: 2..<4), 30..<40),
    (TensorReference(name: "stack", shape: (count: 3, rows: 4, columns: 5), index: 2, rows: 0..<4), 40..<60),
    (TensorReference(name: "stack", shape: (count: 3, rows: 4, columns: 5), index: 0, rows: 0..<1), 0..<5),
    (TensorReference(name: "fused", shape: (rows: 6, columns: 4), rows: 1..<5), 4..<20),
  ]

  private var slicedModel: TinyModel {
    var model = TinyModel()
    var generator = SeededGenerator(seed: 5)
    model.tensors.append(TinyTensor(name: "stack", shape: [3, 4, 5], scale: 1, from: &generator))
    model.tensors.append(TinyTensor(name: "fused", shape: [6, 4], scale: 1, from: &generator))
    return model
  }

  @Test func severalSlicesOfATensorChangeAndNothingElseDoes() throws {
    var model = slicedModel
    try model.write(to: source)
    let checkpoint = try Checkpoint(path: source.path)
    for (slice, numbers) in Self.slices {
      let bytes = try #require(model.tensors.first { $0.name == slice.tensor }).bytes
      let read = try checkpoint.matrix(slice)
      #expect((read.rows, read.columns) == (slice.rows, slice.columns))
      #expect(read.region.withBytes { Array($0) } == Array(bytes[2 * numbers.lowerBound..<2 * numbers.upperBound]))
    }
    try copy(checkpoint).write(replacing: try flipped(Self.slices.map(\.0), checkpoint))
    for (slice, numbers) in Self.slices {
      model.change(slice.tensor) { tensor in
        for index in 2 * numbers.lowerBound..<2 * numbers.upperBound { tensor.bytes[index] ^= 0x15 }
      }
    }
    try model.write(to: folder["expected"])
    #expect(try contents(of: target) == contents(of: folder["expected"]))
  }

  @Test func slicesHaveNamesOfTheirOwn() {
    #expect(
      Self.slices.map(\.0.name) == ["stack[1] rows 2..<4", "stack[2]", "stack[0] rows 0..<1", "fused rows 1..<5"])
    #expect(TensorReference(name: "whole", rows: 6, columns: 4).name == "whole")
    #expect(TensorReference(name: "vector", rows: 1, columns: 4).name == "vector")
  }

  @Test func aSliceOfATensorOfAnotherShapeIsRefused() throws {
    try slicedModel.write(to: source)
    let checkpoint = try Checkpoint(path: source.path)
    for shape in [(4, 3, 5), (12, 1, 5), (3, 4, 4), (3, 20, 1), (1, 12, 5)] {
      expectRefusal(.wrongShape, naming: "stack", "[3, 4, 5]", "[\(shape.0), \(shape.1), \(shape.2)]") {
        _ = try checkpoint.matrix(TensorReference(name: "stack", shape: shape, index: 0, rows: 0..<1))
      }
    }
    expectRefusal(.wrongShape, naming: "stack", "[12, 5]") {
      _ = try checkpoint.matrix(TensorReference(name: "stack", rows: 12, columns: 5))
    }
    expectRefusal(.wrongShape, naming: "stack", "rows 12..<16") {
      _ = try checkpoint.matrix(TensorReference(name: "stack", shape: (3, 4, 5), index: 3, rows: 0..<4))
    }
    expectRefusal(.wrongShape, naming: "fused") {
      _ = try checkpoint.matrix(TensorReference(name: "fused", shape: (6, 4), rows: 0..<Int.max))
    }
  }

  /// Folders of the Hugging Face cache are made of links.
  @Test func linksAreFollowed() throws {
    try TinyModel().write(to: folder["blobs"])
    try manager.createDirectory(at: source, withIntermediateDirectories: true)
    for name in ["config.json", "model.safetensors"] {
      try manager.createSymbolicLink(
        atPath: source.appending(path: name).path, withDestinationPath: "../blobs/\(name)")
    }
    try manager.createSymbolicLink(atPath: source.appending(path: "dangling").path, withDestinationPath: "nowhere")
    try copy(Checkpoint(path: source.path)).write(replacing: [:])
    #expect(try contents(of: target) == contents(of: folder["blobs"]))
    for name in ["config.json", "model.safetensors"] {
      #expect(throws: (any Error).self) {
        try manager.destinationOfSymbolicLink(atPath: target.appending(path: name).path)
      }
    }
  }

  // MARK: What is refused

  @Test func anExistingTargetIsLeftAlone() throws {
    let checkpoint = try original()
    try TinyModel(seed: 9).write(to: target)
    let before = try contents(of: target)
    expectRefusal(.exists, naming: target.path, "--force") { _ = try copy(checkpoint) }
    #expect(try contents(of: target) == before)
  }

  @Test func anExistingCheckpointIsReplacedWhenAsked() throws {
    let checkpoint = try original()
    try TinyModel(seed: 9).write(to: target)
    try copy(checkpoint, force: true).write(replacing: [:])
    #expect(try contents(of: target) == contents(of: source))
    #expect(try names == ["source", "target"])
  }

  @Test func aCheckpointWithSomebodysOwnFileIsNotReplaced() throws {
    let checkpoint = try original()
    try TinyModel(seed: 9).write(to: target)
    try Data("precious".utf8).write(to: target.appending(path: "notes.txt"))
    let before = try contents(of: target)
    expectRefusal(.exists, naming: target.path, "notes.txt") { _ = try copy(checkpoint, force: true) }
    #expect(try contents(of: target) == before)
  }

  @Test func whatIsNoCheckpointIsNeverReplaced() throws {
    let checkpoint = try original()
    try manager.createDirectory(at: target, withIntermediateDirectories: true)
    try Data("precious".utf8).write(to: target.appending(path: "thesis.txt"))
    expectRefusal(.exists, naming: target.path) { _ = try copy(checkpoint, force: true) }
    try Data("precious".utf8).write(to: folder["file"])
    expectRefusal(.exists, naming: folder.path("file")) {
      _ = try copy(checkpoint, to: folder.path("file"), force: true)
    }
    #expect(try contents(of: target).keys.sorted() == ["thesis.txt"])
    #expect(try Data(contentsOf: folder["file"]) == Data("precious".utf8))
  }

  /// Written in every way that leads to the original, inside it or around it.
  @Test(arguments: [
    "source", "source/", "./source", "source/../source", "source/inside", "source/a/b", "", "link", "link/inside",
    "x/../source",
  ])
  func theOriginalIsNeverTheTarget(_ name: String) throws {
    let checkpoint = try original()
    let before = try contents(of: source)
    try manager.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: "source")
    for force in [false, true] {
      expectRefusal(.exists, naming: "original") {
        _ = try copy(checkpoint, to: folder.url.path + "/" + name, force: force)
      }
    }
    #expect(try contents(of: source) == before)
  }

  @Test func namesThatOnlyBeginLikeTheOriginalAreFine() throws {
    let checkpoint = try original()
    try copy(checkpoint, to: folder.path("source-lasered")).write(replacing: [:])
    #expect(try contents(of: folder["source-lasered"]) == contents(of: source))
  }

  // MARK: Failures

  private let absent = TensorReference(name: "no.such.tensor", rows: 1, columns: 1)

  @Test func aFailedWriteLeavesNothingBehind() throws {
    let checkpoint = try original()
    let matrix = StoredMatrix(type: .bfloat16, rows: 1, columns: 1, region: OwnedBytes([0, 0]))
    expectRefusal(.missingTensor, naming: "no.such.tensor") {
      try copy(checkpoint).write(replacing: [absent: matrix])
    }
    expectRefusal(.wrongShape, naming: "lm_head.weight") {
      try copy(checkpoint).write(replacing: [TensorReference(name: "lm_head.weight", rows: 1, columns: 1): matrix])
    }
    #expect(try names == ["source"])
  }

  @Test func aFailedReplacementLeavesTheOldCheckpoint() throws {
    let checkpoint = try original()
    try TinyModel(seed: 9).write(to: target)
    let before = try contents(of: target)
    let matrix = StoredMatrix(type: .bfloat16, rows: 1, columns: 1, region: OwnedBytes([0, 0]))
    expectRefusal(.missingTensor) {
      try copy(checkpoint, force: true).write(replacing: [absent: matrix])
    }
    #expect(try contents(of: target) == before)
    #expect(try names == ["source", "target"])
  }

  @Test func remainsOfAnInterruptedCopyAreCleared() throws {
    let checkpoint = try original()
    try manager.createDirectory(at: folder[".target.0123456789abcdef.partial"], withIntermediateDirectories: true)
    try Data("half".utf8).write(to: folder[".target.0123456789abcdef.partial/config.json"])
    try copy(checkpoint).write(replacing: [:])
    #expect(try contents(of: target) == contents(of: source))
    #expect(try names == ["source", "target"])
  }
}

struct AtomicFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
  }

  @Test func writesAndReplaces() throws {
    for text in ["a long first text", "", "short"] {
      try AtomicFile.write(text, to: folder.path("file"))
      #expect(try String(contentsOf: folder["file"], encoding: .utf8) == text)
      #expect(try names == ["file"])
    }
    try AtomicFile.write([0, 0xFF, 10] as [UInt8], to: folder.path("bytes"))
    #expect(try Data(contentsOf: folder["bytes"]) == Data([0, 0xFF, 10]))
  }

  @Test func failuresLeaveWhatWasThere() throws {
    expectRefusal(.unwritable, naming: "absent/file") { try AtomicFile.write("text", to: folder.path("absent/file")) }
    try FileManager.default.createDirectory(at: folder["taken"], withIntermediateDirectories: true)
    expectRefusal(.unwritable, naming: "taken") { try AtomicFile.write("text", to: folder.path("taken")) }
    #expect(try names == ["taken"], "no temporary file stays")
  }
}
