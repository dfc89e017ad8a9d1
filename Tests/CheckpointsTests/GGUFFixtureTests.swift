import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

/// Files that llama.cpp's own `gguf` package wrote: Tests/Fixtures/gguf.
enum GGUFFixture {
  static let folder = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/gguf"
  static let blocks = folder + "/blocks.gguf"
  static let split = (1...3).map { folder + "/split-0000\($0)-of-00003.gguf" }
}

struct GGUFFixtureTests {
  private let file: GGUFFile
  private let folder: TemporaryFolder

  init() throws {
    file = try GGUFFile(path: GGUFFixture.blocks)
    folder = try TemporaryFolder()
  }

  /// gguf 0.19 does not know Q2_0.
  static let blockTypes = ElementType.allCases.filter { $0.blockSize > 1 && $0 != .q20 }
  static let writtenTypes = blockTypes.filter { !$0.isReadOnly }

  private func matrix(_ name: String) throws -> StoredMatrix {
    try file.matrix(try #require(file.tensors.first { $0.name == name }))
  }

  private func bytes(_ matrix: StoredMatrix) -> [UInt8] { matrix.region.withBytes { Array($0) } }

  private func bits(_ matrix: Matrix) -> [UInt32] {
    (0..<matrix.rows).flatMap { matrix.row($0).map(\.bitPattern) }
  }

  @Test func metadata() {
    #expect(file.version == 3)
    #expect(file["general.architecture"]?.string == "fixture")
    #expect(file["value.uint8"]?.integer == 200 && file["value.int8"]?.integer == -100)
    #expect(file["value.uint16"]?.integer == 60000 && file["value.int16"]?.integer == -30000)
    #expect(file["value.uint32"]?.integer == 4_000_000_000 && file["value.int32"]?.integer == -2_000_000_000)
    #expect(file["value.int64"]?.integer == -(1 << 62))
    #expect(file["value.uint64"]?.integer == nil, "more than can be counted here")
    #expect(file["value.float32"]?.number == 1.5 && file["value.float64"]?.number == 1e300)
    #expect(file["value.boolean"]?.boolean == true && file["value.uint8"]?.boolean == nil)
    #expect(file["value.string"]?.string == "zwölf Boxkämpfer\n" && file["value.uint8"]?.string == nil)
    #expect(file["array.strings"]?.strings == ["one", "zwei", "три"] && file["array.strings"]?.count == 3)
    #expect(file["array.integers"]?.integers == [1, -2, 3] && file["array.integers"]?.strings == nil)
    #expect(file["array.numbers"]?.numbers == [0.5, -0.25] && file["array.numbers"]?.integers == nil)
    #expect(file["absent"] == nil)
  }

  @Test(arguments: blockTypes) func deQuantisedNumbersAreThoseOfGGML(_ type: ElementType) throws {
    let blocks = try matrix("\(type.rawValue).blocks")
    #expect(blocks.type == type && (blocks.rows, blocks.columns) == (4, 256))
    let expected = try bits(matrix("\(type.rawValue).numbers").decoded())
    #expect(try bits(blocks.decoded()) == expected)
    #expect(try bits(blocks.decoded(rows: 1..<3)) == Array(expected[256..<768]))
    #expect(try bits(blocks.decoded(rowsAt: [3, 0])) == Array(expected[768...] + expected[..<256]))
  }

  /// −1 to 2 times a scale, four to a byte.
  @Test func numbersOfQ2_0() throws {
    let block: [UInt8] = [0x00, 0x38] + (0..<16).map { UInt8(truncatingIfNeeded: 0b11_10_01_00 &+ 85 * $0) }
    let row = try StoredMatrix(type: .q20, rows: 1, columns: 64, region: OwnedBytes(block)).decoded().row(0)
    let expected = block.dropFirst(2).flatMap { byte in
      stride(from: 0, to: 8, by: 2).map { (Float(byte >> UInt8($0) & 3) - 1) / 2 }
    }
    #expect(row == expected && Set(row) == [-0.5, 0, 0.5, 1])
  }

  @Test(arguments: writtenTypes) func quantisedBytesAreThoseOfGGML(_ type: ElementType) throws {
    let source = try matrix("source")
    let numbers = DoubleMatrix(try source.decoded())
    let expected = bytes(try matrix("\(type.rawValue).quantized"))
    #expect(bytes(StoredMatrix(rounding: numbers, to: type)) == expected)
    #expect(try bytes(source.converted(to: type)) == expected)
    let importance = try matrix("importance").decoded().row(0)
    #expect(
      try bytes(source.converted(to: type, importance: importance)) == bytes(matrix("\(type.rawValue).weighted")))
  }

  @Test(arguments: [ElementType.float32, .float16, .bfloat16]) func conversionsRoundAsAllElse(_ type: ElementType)
    throws
  {
    let source = try matrix("source")
    let rounded = StoredMatrix(rounding: DoubleMatrix(try source.decoded()), to: type)
    #expect(try bytes(source.converted(to: type)) == bytes(rounded))
  }

  @Test(arguments: writtenTypes) func numbersThatAreNotFiniteStayRefused(_ type: ElementType) throws {
    for bad in [Double.nan, .infinity, -.infinity, 1e300] {
      var numbers = DoubleMatrix(rows: 1, columns: 512, elements: Array(repeating: 1, count: 512))
      numbers.elements[300] = bad
      let stored = StoredMatrix(rounding: numbers, to: type)
      #expect(throws: StoredMatrix.NotFinite.self) { try stored.decoded() }
      #expect(throws: StoredMatrix.NotFinite.self) { try stored.converted(to: .float32) }
    }
  }

  @Test func aFileWrittenAgainHasTheSameBytes() throws {
    for path in [GGUFFixture.blocks] + GGUFFixture.split {
      let file = try GGUFFile(path: path)
      let tensors = file.tensors.map { GGUFWriter.Tensor(name: $0.name, type: $0.type, shape: $0.shape) }
      let writer = GGUFWriter(metadata: file.metadata, tensors: tensors, version: file.version)
      try writer.write(to: folder.path("again.gguf")) { tensor throws(CheckpointError) in
        guard let place = file.tensors.first(where: { $0.name == tensor.name })?.bytes else {
          throw CheckpointError(.missingTensor, file: path, "no \(tensor.name)")
        }
        return file.file.region(place)
      }
      #expect(try Data(contentsOf: folder["again.gguf"]) == Data(contentsOf: URL(filePath: path)))
    }
  }

  @Test func valuesOfOursAreReadAgain() throws {
    let values: [(String, GGUFValue)] = [
      ("a", .uint32(7)), ("b", .float32(-1.5)), ("c", .boolean(false)), ("d", .string("zwölf")),
      ("e", .strings(["x", "", "yz"])), ("f", .int32s([-1, 2])), ("g", .float32s([0.5])),
    ]
    let writer = GGUFWriter(metadata: values.map { GGUFFile.Member(key: $0, value: $1) }, tensors: [])
    try writer.write(to: folder.path("values.gguf")) { _ throws(CheckpointError) in OwnedBytes([]) }
    let file = try GGUFFile(path: folder.path("values.gguf"))
    #expect(file.metadata.map(\.key) == values.map(\.0))
    #expect(file["a"]?.integer == 7 && file["b"]?.number == -1.5 && file["c"]?.boolean == false)
    #expect(file["d"]?.string == "zwölf" && file["e"]?.strings == ["x", "", "yz"])
    #expect(file["f"]?.integers == [-1, 2] && file["g"]?.numbers == [0.5])
  }

  // MARK: Split files

  private func copySplit(leavingOut missing: Int...) throws -> String {
    for (number, path) in GGUFFixture.split.enumerated() where !missing.contains(number + 1) {
      try FileManager.default.copyItem(atPath: path, toPath: folder.path("m-0000\(number + 1)-of-00003.gguf"))
    }
    return folder.path("m-00001-of-00003.gguf")
  }

  @Test func allPartsAreOpened() throws {
    let parts = try GGUFParts(path: GGUFFixture.split[0])
    #expect(parts.files.count == 3)
    for index in 0..<3 {
      let (file, tensor) = try #require(parts.tensor("tensor.\(index)"))
      let numbers = try file.matrix(tensor).decoded()
      #expect((0..<2).flatMap { numbers.row($0) } == (0..<32).map { Float($0 + 100 * index) })
    }
  }

  @Test func everyMissingPartIsNamed() throws {
    let path = try copySplit(leavingOut: 2, 3)
    expectRefusal(.notFound, naming: "m-00002-of-00003.gguf", "m-00003-of-00003.gguf") { _ = try GGUFParts(path: path) }
  }

  @Test func partsMustBeWhatTheirNamesSay() throws {
    expectRefusal(.malformed, naming: "-00001-of-00003.gguf") { _ = try GGUFParts(path: GGUFFixture.split[1]) }
    let path = try copySplit(leavingOut: 3)
    try FileManager.default.copyItem(atPath: GGUFFixture.split[1], toPath: folder.path("m-00003-of-00003.gguf"))
    expectRefusal(.malformed, naming: "m-00003-of-00003.gguf", "split.no") { _ = try GGUFParts(path: path) }
  }
}
