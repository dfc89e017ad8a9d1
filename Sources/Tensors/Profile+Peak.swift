internal import Glibc

extension Profile {
  /// Operations a second of one thread in a product whose operands stay in the caches: the best of a few tries of some
  /// milliseconds each.
  package static func peak(_ precision: Precision) -> Double {
    let weights = PackedMatrix(Matrix(rows: 512, columns: 512), precision: precision)
    let states = Matrix(rows: 240, columns: 512)
    let target = Matrix(rows: 240, columns: 512)
    return (0..<10).map { _ in
      let start = seconds(CLOCK_THREAD_CPUTIME_ID)
      for _ in 0..<10 { multiply(states, transposed: weights, into: target) }
      return 10 * 2 * 240 * 512 * 512 / (seconds(CLOCK_THREAD_CPUTIME_ID) - start)
    }.max() ?? 0
  }
}
