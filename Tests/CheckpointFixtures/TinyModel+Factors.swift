package import Foundation

extension TinyModel {
  /// A folder in which some matrices are stored as two factors, made without the code under test.
  package static let factoredConfiguration = #"{"quant_method": "laser-factored", "version": 1}"#

  /// Stores a matrix as two random factors of some rank.
  package mutating func factor(_ name: String, rank: Int, seed: UInt64 = 7) {
    guard let index = tensors.firstIndex(where: { $0.name == name }) else { preconditionFailure("no tensor \(name)") }
    let shape = tensors[index].shape
    var generator = SeededGenerator(seed: seed)
    let module = String(name.dropLast(".weight".count))
    tensors[index] = TinyTensor(
      name: module + ".left.weight", shape: [shape[0], rank], scale: 0.5, from: &generator)
    tensors.append(
      TinyTensor(name: module + ".right.weight", shape: [rank, shape[1]], scale: 0.5, from: &generator))
    configuration["quantization_config"] = Self.factoredConfiguration
  }

  /// As `write`, under the name that files with factors have.
  package func writeFactored(to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(configurationText.utf8).write(to: folder.appending(path: "config.json"))
    try Data(safetensors(tensors)).write(to: folder.appending(path: "factored.safetensors"))
  }
}
