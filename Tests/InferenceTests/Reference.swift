import Checkpoints
import Evaluation
import Inference
import Models
import Tensors
import Testing
import Tokenization

/// What Hugging Face transformers computed for one of our models: Tests/Fixtures/reference/NAME, see the README there.
struct Reference: Sendable, CustomTestStringConvertible {
  let name: String
  let modelFolder: String

  static let franken = Reference(name: "franken", modelFolder: Folders.posy + "/model")
  static let trained = Reference(name: "trained", modelFolder: Folders.fixtures + "/posy-4x1m-trained")
  static let dense = Reference(name: "dense", modelFolder: Folders.posy + "/base")
  static let all = [franken, trained, dense]

  var testDescription: String { name }

  var model: Model { get throws { try Model(path: modelFolder) } }
  var tokenizer: Tokenizer { get throws { try Tokenizer(path: modelFolder) } }

  var json: JSON {
    get throws { try Configuration(path: "\(Folders.fixtures)/reference/\(name)/reference.json").json }
  }

  var tensors: RecordedTensors {
    get throws { try RecordedTensors(path: "\(Folders.fixtures)/reference/\(name)/reference.safetensors") }
  }

  /// The recorded perplexities, by text, in the order of the file.
  var texts: [(name: String, values: JSON)] {
    get throws { try #require(json["perplexity"]?.members).map { ($0.key, $0.value) } }
  }

  func corpus(_ text: String) throws -> Corpus {
    try Corpus(file: "\(Folders.posy)/text/\(text)", tokenizer: tokenizer)
  }

  /// The two windows whose logits were recorded.
  var recordedBatch: WindowBatch {
    get throws {
      let ids = try tensors.integers("input_ids")
      return WindowBatch([ids[..<128], ids[128...]].map { WindowBatch.Window(tokens: Array($0), firstScored: 1) })
    }
  }
}

enum Folders {
  static let package = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
  static let posy = package + "/runs/posy"
  static let fixtures = package + "/Tests/Fixtures"
}

/// Numbers of a safetensors file of recorded values.
struct RecordedTensors {
  private let file: SafetensorsFile

  init(path: String) throws { file = try SafetensorsFile(path: path) }

  func contains(_ name: String) -> Bool { file.entries.contains { $0.name == name } }

  func floats(_ name: String) throws -> [Float] {
    let entry = try #require(file.entries.first { $0.name == name })
    let type = try #require(ElementType(rawValue: entry.type))
    let count = entry.shape.reduce(1, *)
    let matrix = StoredMatrix(type: type, rows: 1, columns: count, region: file.file.region(entry.bytes))
    return try matrix.decoded().row(0)
  }

  func integers(_ name: String) throws -> [Int32] {
    let entry = try #require(file.entries.first { $0.name == name && $0.type == "I32" })
    return file.file.region(entry.bytes).withBytes { bytes in
      (0..<bytes.count / 4).map { Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
    }
  }
}

extension Matrix {
  var elements: [Float] { (0..<rows).flatMap { row($0) } }
}

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  a.count == b.count ? zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } : .infinity
}
