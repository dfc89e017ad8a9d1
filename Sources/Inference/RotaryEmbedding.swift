internal import Glibc
internal import Tensors

/// The angles of rotary position embedding (arXiv 2104.09864): position p turns pair i by p / base^(2i / dimension).
///
/// Frequencies and angles are rounded to float32 where Hugging Face's are, so that long contexts agree too.
struct RotaryEmbedding: Sendable {
  /// (positions, dimension / 2)
  let cosines: Matrix
  let sines: Matrix

  init(positions: Int, dimension: Int, base: Double) {
    let half = dimension / 2
    let frequencies = (0..<half).map { Float(1 / pow(base, Double(2 * $0) / Double(dimension))) }
    cosines = Matrix(rows: positions, columns: half)
    sines = Matrix(rows: positions, columns: half)
    for position in 0..<positions {
      for (index, frequency) in frequencies.enumerated() {
        let angle = Double(Float(position) * frequency)
        cosines[position, index] = Float(cos(angle))
        sines[position, index] = Float(sin(angle))
      }
    }
  }
}
