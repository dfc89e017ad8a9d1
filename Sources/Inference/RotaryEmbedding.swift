internal import Glibc
internal import Models
internal import Tensors

/// The angles of rotary position embedding (arXiv 2104.09864): position p rotates pair i by p / base^(2i / dimension),
/// or slower where frequencies are scaled.
///
/// Angles are rounded to float32 where Hugging Face's are, so that long contexts agree too.
struct RotaryEmbedding: Sendable {
  /// (positions, dimension / 2)
  let cosines: Matrix
  let sines: Matrix
  /// What queries are multiplied by, for each position; nil for 1.
  let growth: [Float]?

  init(positions: Int, _ configuration: RotaryConfiguration) {
    let (frequencies, attention) = configuration.frequencies
    cosines = Matrix(rows: positions, columns: frequencies.count)
    sines = Matrix(rows: positions, columns: frequencies.count)
    growth = configuration.growth.map { growth in (0..<positions).map(growth.factor) }
    for position in 0..<positions {
      for (index, frequency) in frequencies.enumerated() {
        let angle = Double(Float(position) * frequency)
        cosines[position, index] = Float(cos(angle)) * attention
        sines[position, index] = Float(sin(angle)) * attention
      }
    }
  }
}

/// The rotations of a model's layers.
struct RotaryEmbeddings: Sendable {
  private let full: RotaryEmbedding
  /// Of layers with a sliding window, where they have one of their own.
  private let sliding: RotaryEmbedding?

  init(positions: Int, _ configuration: TransformerConfiguration) {
    full = RotaryEmbedding(positions: positions, configuration.rotary)
    sliding = configuration.slidingRotary.map { RotaryEmbedding(positions: positions, $0) }
  }

  /// A layer's; nil where it does not rotate.
  subscript(layer: TensorLayout.Layer) -> RotaryEmbedding? {
    guard layer.isRotated else { return nil }
    return layer.slidingWindow == nil ? full : sliding ?? full
  }
}
