import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

struct GGUFCopyTests {
  private let folder: TemporaryFolder
  private let source: GGUFParts

  init() throws {
    folder = try TemporaryFolder()
    try Data(TinyGGUF.valid.bytes).write(to: folder["source.gguf"])
    source = try GGUFParts(path: folder.path("source.gguf"))
  }

  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
  }

  private func matrix(_ type: ElementType, rows: Int, columns: Int, seed: Int = 0) -> StoredMatrix {
    let numbers = (0..<rows * columns).map { Double(($0 * 37 + seed) % 19 - 9) / 8 }
    return StoredMatrix(rounding: DoubleMatrix(rows: rows, columns: columns, elements: numbers), to: type)
  }

  private func bytes(_ region: any ByteRegion) -> [UInt8] { region.withBytes { Array($0) } }

  private func copy(
    _ replacements: [GGUFCopy.Replacement], of model: GGUFParts? = nil, to name: String = "copy.gguf",
    force: Bool = false
  ) throws {
    try GGUFCopy(of: model ?? source, to: folder.path(name), replacesExisting: force).write(replacing: replacements)
  }

  @Test func withoutReplacementsTheFileIsTheSame() throws {
    try copy([])
    #expect(try Data(contentsOf: folder["copy.gguf"]) == Data(TinyGGUF.valid.bytes))
    #expect(try names == ["copy.gguf", "source.gguf"])
  }

  @Test func onlyTheBytesOfReplacedRowsChange() throws {
    let (two, three) = (matrix(.q80, rows: 2, columns: 32), matrix(.float16, rows: 1, columns: 4))
    try copy([.init(tensor: "two", matrix: two), .init(tensor: "three", rows: 2..<3, matrix: three)])
    var expected = TinyGGUF.valid
    expected.data.replaceSubrange(256..<324, with: bytes(two.region))
    expected.data.replaceSubrange(368..<376, with: bytes(three.region))
    #expect(try Data(contentsOf: folder["copy.gguf"]) == Data(expected.bytes))
  }

  @Test func aTensorOfAnotherTypeMovesThoseAfterIt() throws {
    let two = matrix(.float16, rows: 2, columns: 32)
    let three = matrix(.float16, rows: 1, columns: 4)
    try copy([.init(tensor: "two", matrix: two), .init(tensor: "three", rows: 3..<4, matrix: three)])
    let (old, new) = (source.files[0], try GGUFFile(path: folder.path("copy.gguf")))
    #expect(new.metadata.map(\.key) == old.metadata.map(\.key))
    #expect(
      new.tensors.map(\.type.name) == ["F32", "F16", "F16"] && new.tensors.map(\.shape) == old.tensors.map(\.shape))
    #expect(bytes(try new.matrix(new.tensors[0]).region) == bytes(try old.matrix(old.tensors[0]).region))
    #expect(bytes(try new.matrix(new.tensors[1]).region) == bytes(two.region))
    let expected = bytes(try old.matrix(old.tensors[2], rows: 0..<3).region) + bytes(three.region)
    #expect(bytes(try new.matrix(new.tensors[2]).region) == expected)
  }

  @Test func aSplitModelBecomesSplitFiles() throws {
    let model = try GGUFParts(path: GGUFFixture.split[0])
    let replacement = matrix(.float32, rows: 2, columns: 16)
    try copy([.init(tensor: "tensor.1", matrix: replacement)], of: model, to: "x.gguf")
    let copied = (1...3).map { "x-0000\($0)-of-00003.gguf" }
    #expect(try names == ["source.gguf"] + copied)
    let parts = try GGUFParts(path: folder.path(copied[0]))
    for index in 0..<3 {
      let (file, tensor) = try #require(parts.tensor("tensor.\(index)"))
      let (oldFile, oldTensor) = try #require(model.tensor("tensor.\(index)"))
      let expected = index == 1 ? replacement : try oldFile.matrix(oldTensor)
      #expect(bytes(try file.matrix(tensor).region) == bytes(expected.region))
    }
  }

  // MARK: What is refused

  @Test func whatDoesNotFitIsRefused() throws {
    let whole = matrix(.float32, rows: 2, columns: 32)
    expectRefusal(.missingTensor, naming: "four") { try copy([.init(tensor: "four", matrix: whole)]) }
    expectRefusal(.wrongShape, naming: "three") { try copy([.init(tensor: "three", matrix: whole)]) }
    expectRefusal(.wrongShape, naming: "one") { try copy([.init(tensor: "one", rows: 0..<1, matrix: whole)]) }
    let row = matrix(.float32, rows: 1, columns: 32)
    expectRefusal(.wrongShape, naming: "one") { try copy([.init(tensor: "one", rows: 2..<3, matrix: row)]) }
    expectRefusal(.unsupported, naming: "two", "Q8_0") { try copy([.init(tensor: "two", rows: 0..<1, matrix: row)]) }
    #expect(try names == ["source.gguf"], "nothing is left behind")
  }

  @Test func existingFilesAreReplacedOnlyWhenAsked() throws {
    try Data("precious".utf8).write(to: folder["copy.gguf"])
    expectRefusal(.exists, naming: "--force") { try copy([]) }
    #expect(try Data(contentsOf: folder["copy.gguf"]) == Data("precious".utf8))
    try copy([], force: true)
    #expect(try Data(contentsOf: folder["copy.gguf"]) == Data(TinyGGUF.valid.bytes))
    try FileManager.default.createDirectory(at: folder["folder.gguf"], withIntermediateDirectories: true)
    expectRefusal(.exists, naming: "folder.gguf") { try copy([], to: "folder.gguf", force: true) }
  }

  @Test(arguments: ["source.gguf", "./source.gguf", "link.gguf", "x/../source.gguf"])
  func theOriginalIsNeverTheTarget(_ name: String) throws {
    try FileManager.default.createSymbolicLink(atPath: folder.path("link.gguf"), withDestinationPath: "source.gguf")
    expectRefusal(.exists, naming: "original") {
      _ = try GGUFCopy(of: source, to: folder.url.path + "/" + name, replacesExisting: true)
    }
  }

  @Test func theNameMustSayWhatItIs() throws {
    expectRefusal(.unwritable, naming: ".gguf") { try copy([], to: "copy.safetensors") }
  }
}
