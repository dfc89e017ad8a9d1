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

  init(positions: Int, _ configuration: RotaryConfiguration) {
    let (frequencies, attention) = configuration.frequencies
    cosines = Matrix(rows: positions, columns: frequencies.count)
    sines = Matrix(rows: positions, columns: frequencies.count)
    for position in 0..<positions {
      for (index, frequency) in frequencies.enumerated() {
        let angle = Double(Float(position) * frequency)
        cosines[position, index] = Float(cos(angle)) * attention
        sines[position, index] = Float(sin(angle)) * attention
      }
    }
  }
}
