import CheckpointFixtures
import Checkpoints
import Foundation
import Merging
import Models
import Tensors
import Testing

/// The repository's own small models.
enum Posy {
  static let folder = URL(filePath: #filePath).appending(path: "../../../runs/posy").standardized
}

/// A folder with a tiny dense base and two parents of its shape, all with posy's tokenizer, to be merged there.
struct Bench {
  let folder: TemporaryFolder
  var out: String { folder.path("out") }

  /// Posy's tokenizer has 2048 tokens.
  static func dense(_ seed: UInt64, type: String = "mistral") -> TinyModel {
    .dense(seed: seed, type: type, vocabularySize: 2048)
  }

  init(base: TinyModel = dense(1), a: TinyModel = dense(2), b: TinyModel = dense(3)) throws {
    folder = try TemporaryFolder()
    for (name, model) in [("base", base), ("a", a), ("b", b)] { try add(model, named: name) }
  }

  func add(_ model: TinyModel, named name: String) throws {
    try model.write(to: folder[name])
    try FileManager.default.copyItem(
      at: Posy.folder.appending(path: "base/tokenizer.json"), to: folder[name].appending(path: "tokenizer.json"))
  }

  /// One prompt each, and what more the file says.
  func configuration(
    head: [String] = ["gate_mode: hidden"], a: [String] = [], b: [String] = [], seed: UInt64? = nil
  ) throws -> MergeConfiguration {
    func expert(_ name: String, _ prompt: String, _ more: [String]) -> [String] {
      ["- source_model: \(name)", "  positive_prompts: [\(prompt)]"] + more.map { "  " + $0 }
    }
    let lines =
      ["base_model: base"] + head + ["experts:"] + expert("a", "Once upon a time", a)
      + expert("b", "It is the duty of every man to consider", b)
    return try MergeConfiguration(
      yaml: lines.joined(separator: "\n") + "\n", folder: folder.url.path + "/", seed: seed)
  }

  @discardableResult
  func merge(
    _ configuration: MergeConfiguration, anyVocabulary: Bool = false, shardSize: Int = .max, force: Bool = false,
    to out: String? = nil
  ) throws -> Merge.Outcome {
    try Merge(configuration, anyVocabulary: anyVocabulary).write(
      to: out ?? self.out, shardSize: shardSize, replacesExisting: force, protecting: [], program: "laser test")
  }

  /// A tensor's numbers. A vector is one row.
  func numbers(_ name: String, in folder: String = "out", rows: Int, columns: Int) throws -> [Float] {
    let matrix = try Checkpoint(path: self.folder.path(folder)).matrix(
      TensorReference(name: name, rows: rows, columns: columns))
    let decoded = try matrix.decoded()
    return (0..<rows).flatMap { decoded.row($0) }
  }

  /// (experts, hidden) of both experts.
  func gate(layer: Int, in folder: String = "out") throws -> [[Float]] {
    let all = try numbers("model.layers.\(layer).block_sparse_moe.gate.weight", in: folder, rows: 2, columns: 16)
    return [Array(all[..<16]), Array(all[16...])]
  }

  func expert(_ number: Int, _ matrix: String, layer: Int = 0, in folder: String = "out") throws -> [Float] {
    let (rows, columns) = matrix == "w2" ? (16, 24) : (24, 16)
    return try numbers(
      "model.layers.\(layer).block_sparse_moe.experts.\(number).\(matrix).weight", in: folder, rows: rows,
      columns: columns)
  }

  /// A dense parent's matrix by Mixtral's name for it.
  func parent(_ name: String, _ matrix: String, layer: Int = 0) throws -> [Float] {
    let names = ["w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"]
    let (rows, columns) = matrix == "w2" ? (16, 24) : (24, 16)
    return try numbers(
      "model.layers.\(layer).mlp.\(#require(names[matrix])).weight", in: name, rows: rows, columns: columns)
  }
}

/// The distance of two bf16 numbers, counted in bf16 numbers between them.
func steps(_ a: UInt16, _ b: UInt16) -> Int {
  func place(_ bits: UInt16) -> Int { bits & 0x8000 == 0 ? Int(bits) : -Int(bits & 0x7FFF) }
  return abs(place(a) - place(b))
}
