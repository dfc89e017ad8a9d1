package import Inference
internal import Tensors

/// What dropping a matrix's directions changes in a loss, to first order.
///
/// A token with input x and gradient g at the output of W (or of W − W_base) = Σ σᵢ uᵢ vᵢᵀ feels each direction by
/// itself: without direction i the loss changes by −(g · √σᵢ uᵢ)(√σᵢ vᵢ · x). Two products give all directions of all
/// tokens, and so every filter at once. The rounding of the filtered matrix is not in it.
package struct DirectionEffects: Sendable {
  /// U √σ and V √σ: (directions, rows of W) and (directions, columns of W).
  private let left: PackedFactor
  private let right: PackedFactor

  /// Tokens that a worker takes at once.
  private static let block = 480

  package init(_ decomposition: SiteDecomposition) throws {
    (left, right) = try decomposition.packedFactors()
  }

  /// Bytes of the directions of a matrix.
  package static func byteCount(rows: Int, columns: Int) -> Int {
    MemoryLayout<Float>.stride * min(rows, columns) * (rows + columns)
  }

  /// Bytes of what a worker makes of a block of tokens, in the worst case, in which each is a window of its own.
  static func scratchByteCount(directions: Int) -> Int {
    block * directions * (2 * MemoryLayout<Float>.stride + MemoryLayout<Double>.stride)
  }

  /// Adds the windows of some tokens to statistics, each to those of its fold.
  ///
  /// The products of a window's tokens are summed in float64, in the order of the tokens, the windows one after
  /// another: no bit depends on what is computed at once.
  ///
  /// - Parameters:
  ///   - windowOfToken: By token of the batch, ascending: the number of its window.
  ///   - folds: By window. Windows without a token at the site are taken too.
  ///   - statistics: By fold.
  ///   - checkpoint: Called between blocks of tokens; may throw to end the work.
  package func add(
    _ gradient: SiteGradient, windowOfToken: [Int], folds: [Int], to statistics: inout [DirectionStatistics],
    checkpoint: () throws -> Void = {}
  ) throws {
    var empty = folds.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
    try forEachWindow(gradient, windowOfToken: windowOfToken, checkpoint: checkpoint) { window, changes in
      statistics[folds[window]].take(changes)
      empty[folds[window], default: 0] -= 1
    }
    for (fold, count) in empty { statistics[fold].takeEmptyWindows(count) }
  }

  /// Goes through the windows that have a token at the site, in their order.
  ///
  /// - Parameter take: Given a window's number and cᵢ of all directions.
  func forEachWindow(
    _ gradient: SiteGradient, windowOfToken: [Int], checkpoint: () throws -> Void,
    _ take: (_ window: Int, _ changes: [Double]) -> Void
  ) throws {
    let windows = gradient.tokens.map { windowOfToken[Int($0)] }
    var sums = WindowSums(directions: left.directions)
    for chunk in Parallelism.blocks(of: windows.count, size: Self.block * Parallelism.threads) {
      try checkpoint()
      let outputs = Matrix(unfilled: chunk.count, columns: left.directions)
      let coordinates = Matrix(unfilled: chunk.count, columns: left.directions)
      let blocks = Parallelism.shares(of: chunk.count, atMost: Self.block)
      Parallelism.forEach(blocks.count) { index in
        let (here, block) = (blocks[index], blocks[index].offset(by: chunk.lowerBound))
        left.project(gradient.gradients[rows: block], into: outputs[rows: here])
        right.project(gradient.inputs[rows: block], into: coordinates[rows: here])
      }
      sums.add(outputs, coordinates, windows: windows[chunk], take)
    }
    sums.endWindow(take)
  }

}

/// Adds up the tokens of each window, block by block of tokens.
private struct WindowSums {
  /// The last window begun, and its −cᵢ so far.
  private var window: Int?
  private var sums: [Double]

  init(directions: Int) { sums = Array(repeating: 0, count: directions) }

  mutating func add(
    _ a: Matrix, _ b: Matrix, windows: ArraySlice<Int>, _ take: (Int, [Double]) -> Void
  ) {
    var starts = windows.indices.filter { $0 == windows.startIndex || windows[$0] != windows[$0 - 1] }
    let first = windows.startIndex
    let numbers = starts.map { windows[$0] }
    starts.append(windows.endIndex)
    var rows = DoubleMatrix.zeros(rows: numbers.count, columns: sums.count)
    // The window that the last block ended in goes on where it was.
    if let window, window == numbers.first { rows.elements.replaceSubrange(0..<sums.count, with: sums) }
    addColumnDots(a, b, groups: zip(starts, starts.dropFirst()).map { $0 - first..<$1 - first }, to: &rows)
    for (index, number) in numbers.enumerated() {
      if window != number { endWindow(take) }
      window = number
      sums.replaceSubrange(sums.indices, with: rows.elements[index * sums.count..<(index + 1) * sums.count])
    }
  }

  /// Hands over the window that is complete.
  mutating func endWindow(_ take: (Int, [Double]) -> Void) {
    guard let window else { return }
    take(window, sums.map { -$0 })
    self.window = nil
  }
}

extension Range<Int> {
  fileprivate func offset(by distance: Int) -> Range<Int> { lowerBound + distance..<upperBound + distance }
}
