import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Models
import Tensors
import Testing

/// A dense model whose feed-forward layers are cut into experts that are all active, with equal weights, is the same
/// function: w2 · h is the mean over E experts of E · w2 · h of each one's channels.
struct SplitModelTests {
  private static let count = 4

  /// The mixture's folder. Times four is exact.
  private func split(_ model: Model, to folder: URL) throws {
    var tensors: [(name: String, isVector: Bool, matrix: DoubleMatrix)] = []
    func add(_ name: String, _ reference: TensorReference, isVector: Bool = false) throws {
      tensors.append((name, isVector, DoubleMatrix(try model.weights(reference))))
    }
    for (number, layer) in model.layout.layers.enumerated() {
      let block = "model.layers.\(number).block_sparse_moe."
      let hidden = model.configuration.hiddenSize
      tensors.append(
        (
          block + "gate.weight", false,
          DoubleMatrix(rows: Self.count, columns: hidden, elements: Array(repeating: 0, count: Self.count * hidden))
        ))
      func doubles(_ tensor: TensorReference, rows: Range<Int>, columns: Range<Int>) throws -> DoubleMatrix {
        try model.doubles(of: model.stored(tensor), at: tensor, rows: rows, columns: columns)
      }
      let expert = layer.experts[0]
      let width = expert.gate.rows / Self.count
      for number in 0..<Self.count {
        let part = number * width..<(number + 1) * width
        let all = 0..<hidden
        let prefix = "\(block)experts.\(number)."
        tensors.append((prefix + "w1.weight", false, try doubles(expert.gate, rows: part, columns: all)))
        tensors.append((prefix + "w3.weight", false, try doubles(expert.up, rows: part, columns: all)))
        var down = try doubles(expert.down, rows: all, columns: part)
        down.elements = down.elements.map { $0 * Double(Self.count) }
        tensors.append((prefix + "w2.weight", false, down))
      }
      for norm in layer.norms { try add(norm.tensor, norm, isVector: true) }
      for (_, matrix) in layer.attention.matrices { try add(matrix.tensor, matrix) }
    }
    try add(model.layout.embedding.tensor, model.layout.embedding)
    try add(model.layout.finalNorm.tensor, model.layout.finalNorm, isVector: true)
    if model.layout.head != model.layout.embedding { try add(model.layout.head.tensor, model.layout.head) }

    let writer = SafetensorsWriter(
      tensors.map { tensor in
        let shape = [tensor.matrix.rows, tensor.matrix.columns]
        return .init(name: tensor.name, type: .bfloat16, shape: tensor.isVector ? [shape[1]] : shape)
      }, to: folder.path, shardSize: 1 << 30)
    let matrices = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.matrix) })
    for tensor in writer.tensors {
      try writer.append(StoredMatrix(rounding: try #require(matrices[tensor.name]), to: .bfloat16), of: tensor.name)
    }
    try writer.finish()
    let bytes = try Data(contentsOf: URL(filePath: model.checkpoint.path + "/config.json"))
    var object = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    object["model_type"] = "mixtral"
    object["num_local_experts"] = Self.count
    object["num_experts_per_tok"] = Self.count
    object["intermediate_size"] = model.configuration.intermediateSize / Self.count
    try JSONSerialization.data(withJSONObject: object).write(to: folder.appending(path: "config.json"))
  }

  @Test func aSplitModelIsTheDenseOne() throws {
    let folder = try TemporaryFolder()
    let (dense, recorded) = (try Reference.dense.model, try Reference.dense.recordedBatch)
    try split(dense, to: folder.url)
    let mixture = try Model(path: folder.url.path)
    #expect(mixture.configuration.expertsPerToken == Self.count && mixture.sites.count > dense.sites.count)
    let logits = try [dense, mixture].map { model in
      let forward = try ForwardPass(model, recorded)
      let states = try forward.embeddings()
      for layer in 0..<model.configuration.layerCount { try forward.run(layer: layer, states) }
      return try forward.logits(states).elements
    }
    // Sums in another order: logits of some 20, in float32.
    #expect(largestDifference(logits[0], logits[1]) < 1e-4)
    #expect(logits[0] != logits[1])
  }
}
