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

  /// Stores some experts' matrices, which have one shape, as what random factors add to a base that they share.
  package mutating func factor(_ names: [String], besideBase base: String, rank: Int) {
    var generator = SeededGenerator(seed: 11)
    var shape: [Int] = []
    for name in names {
      factor(name, rank: rank, seed: UInt64(name.utf8.count + tensors.count))
      let module = name.dropLast(".weight".count)
      for index in tensors.indices where tensors[index].name.hasPrefix(module + ".") {
        let isLeft = tensors[index].name.hasSuffix(".left.weight")
        tensors[index].name = module + ".delta." + (isLeft ? "left" : "right") + ".weight"
        shape = isLeft ? [tensors[index].shape[0], shape.last ?? 0] : [shape.first ?? 0, tensors[index].shape[1]]
      }
    }
    tensors.append(TinyTensor(name: base, shape: shape, scale: 0.5, from: &generator))
    configuration["quantization_config"] = #"{"quant_method": "laser-factored", "version": 2}"#
  }

  /// As `write`, under the name that files with factors have.
  package func writeFactored(to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(configurationText.utf8).write(to: folder.appending(path: "config.json"))
    try Data(safetensors(tensors)).write(to: folder.appending(path: "factored.safetensors"))
  }
}
