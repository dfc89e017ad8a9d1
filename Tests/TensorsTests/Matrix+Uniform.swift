import Tensors

extension Matrix {
  /// Numbers between −1 and 1, from a linear congruence.
  static func uniform(rows: Int, columns: Int, seed: UInt64) -> Matrix {
    var state = seed
    let elements = (0..<rows * columns).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Double(state >> 11) * 0x1p-52 - 1)
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }
}
