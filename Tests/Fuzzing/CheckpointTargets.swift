import CheckpointFixtures
import Checkpoints
import Foundation
import Synchronization
import Tensors

extension FuzzTarget {
  static let json = FuzzTarget(
    name: "json",
    seeds: [
      #" { "a" : [ 1 , -2.5e-3 , true , false , null ] , "b":{}, "c":[], "ü": "x\n\uD83D\uDE00" } "#,
      String(repeating: "[", count: 64) + String(repeating: "]", count: 64), TinyModel().configurationText,
    ].map { Array($0.utf8) },
    pieces: [
      "{", "}", "[", "]", ",", ":", "\"", "\\u", "\\uD800", "\\", "1e999", "-0", "9223372036854775808", "null", "true",
      "[[[[[[[[[[[[[[[[", "{\"a\":", "\u{301}",
    ].map { Array($0.utf8) }
  ) { bytes, _ in
    ending { String(visit(try JSON(parsing: bytes)).prefix(24)) }
  }

  /// Looks at every value; returns their kinds.
  private static func visit(_ json: JSON) -> String {
    _ = (json.string, json.integer, json.number, json.boolean, json["a"])
    switch json {
    case .null: return "n"
    case .boolean: return "b"
    case .integer: return "i"
    case .number: return "f"
    case .string: return "s"
    case .array(let elements): return "[\(elements.map(visit).joined())]"
    case .object(let members): return "{\(members.map { visit($0.value) }.joined())}"
    }
  }

  static let safetensors = FuzzTarget(
    name: "safetensors",
    seeds: [
      CheckpointFixtures.safetensors(
        header: #"{"a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}, "#
          + #""b": {"dtype": "F32", "shape": [4], "data_offsets": [12, 28]}, "__metadata__": {"x": "y"}}"#,
        data: Array(repeating: 1, count: 28)),
      CheckpointFixtures.safetensors(TinyModel(vocabularySize: 8, hiddenSize: 4, intermediateSize: 4).tensors),
    ],
    pieces: [
      "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"BF16\"", "\"F64\"", "[0, 0]", "[]", "9223372036854775807", "-1",
      "1e3", "\"__metadata__\"", "{", "}", ",",
    ].map { Array($0.utf8) }
  ) { _, path in
    ending {
      let file = try SafetensorsFile(path: path)
      for entry in file.entries { touch(file.file.region(entry.bytes)) }
      return file.entries.map { "\($0.type)\($0.shape.count)" }.joined()
    }
  }

  static let gguf = FuzzTarget(
    name: "gguf",
    seeds: [
      TinyGGUF.valid.bytes, TinyGGUF().bytes,
      TinyGGUF(
        members: [
          .init("general.alignment", type: 4, TinyGGUF.bytes(UInt32(8))),
          .init("split.count", type: 2, TinyGGUF.bytes(UInt16(1))),
          .init("f", type: 6, TinyGGUF.bytes(Float(1).bitPattern)),
          .init(
            "many", type: 9, TinyGGUF.bytes(UInt32(5)) + TinyGGUF.bytes(UInt64(40)) + Array(repeating: 1, count: 160)),
        ],
        tensors: [2, 3, 6, 7, 8, 10, 11, 12, 13, 14].enumerated().map { index, type in
          TinyGGUF.Tensor("t\(index)", [256], type: type, offset: UInt64(512 * index))
        },
        data: Array(repeating: 0x31, count: 5120)
      ).bytes,
    ],
    pieces: [
      TinyGGUF.bytes(UInt32(9)) + TinyGGUF.bytes(UInt64(1)), TinyGGUF.bytes(UInt32(8)) + TinyGGUF.bytes(UInt64(1)),
      TinyGGUF.text("general.alignment"), TinyGGUF.text("split.count"), TinyGGUF.text("t0"), TinyGGUF.text(""),
      TinyGGUF.bytes(UInt64(32)), TinyGGUF.bytes(UInt64(256)), Array("GGUF".utf8),
    ]
  ) { _, path in
    ending {
      let model = try GGUFParts(path: path)
      let file = model.files[0]
      for member in file.metadata {
        let value = member.value
        _ = (value.integer, value.number, value.boolean, value.string, value.count)
        _ = (value.integers, value.numbers, value.strings)
      }
      for tensor in file.tensors {
        touch(file.file.region(tensor.bytes))
        if let matrix = try? file.matrix(tensor) { _ = try? matrix.decoded(rows: 0..<min(1, matrix.rows)) }
      }
      let tensors = file.tensors.map { GGUFWriter.Tensor(name: $0.name, type: $0.type, shape: $0.shape) }
      let writer = GGUFWriter(metadata: file.metadata, tensors: tensors, version: file.version)
      precondition(writer.byteCount <= 2 * file.file.byteCount + (tensors.count + 1) * file.alignment)
      return file.metadata.map { "\($0.value.type.rawValue)" }.joined(separator: ",")
        + file.tensors.map { "\($0.type.name)\($0.shape.count)" }.joined()
    }
  }

  private static let bytesRead = Atomic<Int>(0)

  private static func touch(_ region: any ByteRegion) {
    region.withBytes { bytes in
      var sum: UInt8 = 0
      for byte in bytes { sum &+= byte }
      // Kept, so that the bytes are read.
      bytesRead.wrappingAdd(Int(sum), ordering: .relaxed)
    }
  }
}
