internal import Checkpoints
internal import Tensors

/// Writes the checkpoint of a synthetic mixture: random weights that a seed decides, made as they are written.
package struct Synthesis: Sendable {
  /// Strong directions of a structured matrix.
  package static let rank = 8
  /// Numbers that are made at once.
  private static let blockSize = 1 << 25

  private let mixture: SyntheticMixture
  private let seed: UInt64

  package init(_ mixture: SyntheticMixture, seed: UInt64) {
    self.mixture = mixture
    self.seed = seed
  }

  package struct Outcome: Sendable {
    package let files: [String]
    package let byteCount: Int
  }

  /// - Parameters:
  ///   - tokenizer: The folder of a tokenizer to copy, if any.
  ///   - progress: Called with the share done.
  package func write(
    to target: String, shardSize: Int, replacesExisting: Bool, tokenizer: String?, progress: (Double) -> Void = { _ in }
  ) throws -> Outcome {
    let folder = try MergedFolder(
      target, replacesExisting: replacesExisting, parents: tokenizer.map { [$0] } ?? [], protecting: [],
      tokenizerFrom: tokenizer)
    let described = try mixture.tensors
    let kinds = Dictionary(uniqueKeysWithValues: described.map { ($0.name, $0.kind) })
    let tensors = described.map { SafetensorsWriter.Tensor(name: $0.name, type: .bfloat16, shape: $0.shape) }
    var outcome = Outcome(files: [], byteCount: 0)
    try folder.write { temporary in
      let writer = SafetensorsWriter(tensors, to: temporary, shardSize: shardSize)
      var done = 0
      for (index, tensor) in writer.tensors.enumerated() {
        let columns = tensor.shape[tensor.shape.count - 1]
        let rows = tensor.shape.dropLast().reduce(1, *)
        let matrix = Self.matrix(
          kinds[tensor.name] ?? .plain, rows, columns, seed: seed &* 0x1_0000_0001 &+ UInt64(index))
        for block in Parallelism.blocks(of: rows, size: max(1, Self.blockSize / columns)) {
          try writer.append(matrix(block), of: tensor.name)
        }
        done += tensor.byteCount
        progress(Double(done) / Double(writer.byteCount))
      }
      try writer.finish()
      try AtomicFile.write(mixture.configuration.indented + "\n", to: temporary + "/config.json")
      outcome = Outcome(files: writer.fileNames, byteCount: writer.byteCount)
    }
    return outcome
  }

  private static func matrix(
    _ kind: SyntheticMixture.Kind, _ rows: Int, _ columns: Int, seed: UInt64
  ) -> (Range<Int>) -> StoredMatrix {
    func random(rank: Int, deviation: Double) -> (Range<Int>) -> StoredMatrix {
      SyntheticMatrix(rows: rows, columns: columns, rank: rank, deviation: deviation, seed: seed).stored
    }
    let scale = 1 / Double(columns).squareRoot()
    switch kind {
    case .norm:
      return { rows in
        let ones = Array(repeating: 1.0, count: rows.count * columns)
        return StoredMatrix(rounding: DoubleMatrix(rows: rows.count, columns: columns, elements: ones), to: .bfloat16)
      }
    case .embedding: return random(rank: 0, deviation: 1)
    case .plain: return random(rank: 0, deviation: scale)
    case .structured: return random(rank: rank, deviation: scale)
    }
  }
}
