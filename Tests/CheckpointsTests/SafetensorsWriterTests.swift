import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

/// What is written is read again, in one file and in shards, and laid out as the format's own library does.
struct SafetensorsWriterTests {
  private let folder: TemporaryFolder
  private let model = TinyModel()

  init() throws { folder = try TemporaryFolder() }

  private func tensors(_ model: TinyModel) throws -> [SafetensorsWriter.Tensor] {
    try model.tensors.map {
      SafetensorsWriter.Tensor(name: $0.name, type: try #require(ElementType(rawValue: $0.type)), shape: $0.shape)
    }
  }

  /// Appends each tensor in pieces of so many bytes.
  private func write(
    _ model: TinyModel, to other: TemporaryFolder? = nil, shardSize: Int = .max, piece: Int = .max
  ) throws -> [String] {
    let folder = other ?? self.folder
    try Data(model.configurationText.utf8).write(to: folder["config.json"])
    let writer = SafetensorsWriter(try tensors(model), to: folder.url.path, shardSize: shardSize)
    for tensor in writer.tensors {
      let bytes = try #require(model.tensors.first { $0.name == tensor.name }).bytes
      for start in stride(from: 0, to: bytes.count, by: min(piece, bytes.count)) {
        try bytes[start..<min(bytes.count, start + min(piece, bytes.count))].withUnsafeBytes {
          try writer.append($0, of: tensor.name)
        }
      }
    }
    try writer.finish()
    return writer.fileNames
  }

  private func expectRereadEqual(_ model: TinyModel, in other: TemporaryFolder? = nil) throws {
    let checkpoint = try Checkpoint(path: (other ?? folder).url.path)
    #expect(checkpoint.tensorNames == model.tensors.map(\.name).sorted())
    for tensor in model.tensors {
      let columns = try #require(tensor.shape.last)
      let rows = tensor.shape.count == 1 ? 1 : tensor.shape[0]
      let matrix = try checkpoint.matrix(TensorReference(name: tensor.name, rows: rows, columns: columns))
      #expect(matrix.region.withBytes { Array($0) } == tensor.bytes, "\(tensor.name)")
    }
  }

  @Test(arguments: [Int.max, 1000, 7]) func oneFile(_ piece: Int) throws {
    #expect(try write(model, piece: piece) == ["model.safetensors"])
    try expectRereadEqual(model)
    let file = try SafetensorsFile(path: folder.path("model.safetensors"))
    #expect(file.entries.map(\.name) == model.tensors.map(\.name).sorted())
    // The header ends where numbers of any size may begin.
    #expect(file.headerBytes.upperBound % 8 == 0)
    #expect(!FileManager.default.fileExists(atPath: folder.path("model.safetensors.index.json")))
  }

  @Test(arguments: [5000, 1, 12_000]) func shards(_ size: Int) throws {
    let names = try write(model, shardSize: size)
    #expect(names.count > 1 && names == SafetensorsWriter.fileNames(shardCount: names.count))
    try expectRereadEqual(model)
    for name in names {
      let entries = try SafetensorsFile(path: folder.path(name)).entries
      #expect(entries.count == 1 || entries.reduce(0) { $0 + $1.bytes.count } <= size)
    }
    let index = try Configuration(path: folder.path("model.safetensors.index.json"))
    #expect(index["metadata"]?["total_size"]?.integer == model.tensors.reduce(0) { $0 + $1.bytes.count })
  }

  /// Names, types, shapes, shards and pieces as they come, written and read again many times over: what the writer keeps
  /// from one call to the next stays what it is.
  @Test func layoutsAsTheyCome() throws {
    var generator = SeededGenerator(seed: 11)
    let letters = Array("abcxyz.0123_\"\\é✓ ")
    for round in 0..<200 {
      let folder = try TemporaryFolder()
      var model = TinyModel()
      model.tensors = (0..<Int.random(in: 1...12, using: &generator)).map { number in
        let (type, width) = [("F32", 4), ("BF16", 2), ("F16", 2)].randomElement(using: &generator) ?? ("F32", 4)
        let shape = (0..<Int.random(in: 1...2, using: &generator)).map { _ in Int.random(in: 1...40, using: &generator)
        }
        // Short names lie in the string itself, long ones on the heap.
        let name = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
          letters.randomElement(using: &generator) ?? "a"
        }
        return TinyTensor(
          name: String(name) + "\(number)", type: type, shape: shape,
          bytes: (0..<shape.reduce(width, *)).map { _ in UInt8.random(in: 0...255, using: &generator) })
      }
      let size = [Int.max, 1, 500, 3000].randomElement(using: &generator) ?? 1
      let names = try write(model, to: folder, shardSize: size, piece: Int.random(in: 1...700, using: &generator))
      #expect(names == SafetensorsWriter.fileNames(shardCount: names.count), "round \(round)")
      try expectRereadEqual(model, in: folder)
    }
  }

  @Test func namesThatJSONEscapes() throws {
    var model = TinyModel()
    model.tensors = [TinyTensor(name: "a \"b\"\\\n\u{1}é", type: "F32", shape: [2, 1], bytes: Array(0..<8))]
    _ = try write(model)
    try expectRereadEqual(model)
  }

  @Test func aFileThatIsThereIsNotWrittenOver() throws {
    try Data("mine".utf8).write(to: folder["model.safetensors"])
    #expect(throws: CheckpointError.self) { try write(model) }
    #expect(try Data(contentsOf: folder["model.safetensors"]) == Data("mine".utf8))
  }

  @Test func jsonTextReadsAsTheSame() throws {
    let text = #"{"a":[1,-2.5,1e-05,true,false,null,"\"\\\n\u0001é"],"b":{},"c":[],"d":{"e":1e+20}}"#
    let json = try JSON(parsing: Array(text.utf8))
    for written in [json.compact, json.indented] {
      let again = try JSON(parsing: Array(written.utf8))
      #expect(again.compact == json.compact)
    }
    #expect(json.compact == #"{"a":[1,-2.5,1e-05,true,false,null,"\"\\\n\u0001é"],"b":{},"c":[],"d":{"e":1e+20}}"#)
    #expect(
      try JSON(parsing: Array(#"{"a":[1],"b":{}}"#.utf8)).indented == "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}")
  }
}
