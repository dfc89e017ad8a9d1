import Foundation
import Tensors
import Testing

/// Gradients against central differences of plain loops in float64, whose own error is below 1e-8.
@Suite struct ElementwiseGradientTests {
  /// (rows, columns): less than a vector, whole ones, edges.
  private static let shapes = [(1, 1), (3, 7), (5, 64), (13, 77), (2, 300)]

  @Test(arguments: shapes) func theNormsGradientIsItsDerivative(shape: (Int, Int)) {
    let (rows, columns) = shape
    let epsilon: Float = 0.01
    let source = Matrix.part(rows: rows, columns: columns, seed: 1)
    let gradient = Matrix.part(rows: rows, columns: columns, seed: 2)
    let weight = Matrix.uniform(rows: 1, columns: columns, seed: 3)
    let start = Matrix.uniform(rows: rows + 1, columns: columns + 5, seed: 4)
    let whole = start.copy()
    let result = whole[rows: 0..<rows][columns: 2..<columns + 2]
    normalizeGradient(source, weight: weight, epsilon: epsilon, gradient: gradient, addingTo: result)
    for row in 0..<rows {
      let (w, g) = (weight.row(0).map(Double.init), gradient.row(row).map(Double.init))
      func loss(_ x: [Double]) -> Double {
        let mean = x.reduce(0) { $0 + $1 * $1 } / Double(columns)
        let factor = 1 / (mean + Double(epsilon)).squareRoot()
        return (0..<columns).reduce(0) { $0 + g[$1] * w[$1] * x[$1] * factor }
      }
      let x = source.row(row).map(Double.init)
      for column in 0..<columns {
        let expected = Double(start[row, column + 2]) + derivative(of: loss, at: x, column)
        #expect(abs(Double(result[row, column]) - expected) < 1e-5 * (1 + abs(expected)))
      }
    }
    #expect(isUntouched(whole, start, outside: 2..<columns + 2, rows: rows))
  }

  @Test(arguments: shapes, [GatedActivation.silu, .geluTanh, .clampedSilu(slope: 1.7, limit: 1.5)])
  func theGradientsOfActivationsAreTheirDerivatives(shape: (Int, Int), activation: GatedActivation) {
    let (rows, columns) = shape
    let start = Matrix.uniform(rows: rows, columns: 2 * columns + 3, seed: 5)
    for row in 0..<rows {
      for column in 0..<start.columns { start[row, column] *= 8 }
    }
    let whole = start.copy()
    let (gate, up) = (whole[columns: 0..<columns], whole[columns: columns + 1..<2 * columns + 1])
    let gradient = Matrix.part(rows: rows, columns: columns, seed: 6)
    let made = gate.copy()
    activation.apply(gate: made, up: up)
    activation.propagate(gate: gate, up: up, gradient: gradient)
    for row in 0..<rows {
      for column in 0..<columns {
        let g = Double(gradient[row, column])
        func loss(_ x: [Double]) -> Double { g * value(of: activation, x[0], x[1]) }
        let x = [Double(start[row, column]), Double(start[row, column + columns + 1])]
        #expect(abs(Double(made[row, column]) - value(of: activation, x[0], x[1])) < 1e-5)
        #expect(abs(Double(gate[row, column]) - derivative(of: loss, at: x, 0)) < 3e-5)
        #expect(abs(Double(up[row, column]) - derivative(of: loss, at: x, 1)) < 1e-5)
      }
      for column in [columns, 2 * columns + 1, 2 * columns + 2] { #expect(whole[row, column] == start[row, column]) }
    }
  }

  /// Far from 0 the exponential saturates; the gradient is that of 0 or of a itself.
  @Test func theGradientOfSwiGLUIsFiniteFarOut() {
    let gate = Matrix(rows: 1, columns: 4, elements: [-1000, -100, 100, 1000])
    let up = Matrix(rows: 1, columns: 4, elements: [2, 2, 2, 2])
    GatedActivation.silu.propagate(gate: gate, up: up, gradient: Matrix(rows: 1, columns: 4, elements: [1, 1, 1, 1]))
    #expect(zip(gate.row(0), [0, 0, 2, 2]).allSatisfy { abs($0 - $1) < 1e-30 })
    #expect(zip(up.row(0), [0, 0, 100, 1000]).allSatisfy { abs($0 - $1) < 1e-30 })
  }

  /// A rotation's transpose is its inverse: turned back, numbers are what they were, and ⟨R x, g⟩ = ⟨x, R⁻¹ g⟩.
  @Test(arguments: [false, true]) func rotationsTurnBack(interleaved: Bool) {
    let (rows, heads, dimension) = (5, 3, 20)
    let angles = Matrix.uniform(rows: rows, columns: dimension / 2, seed: 7)
    let (cosines, sines) = (angles.copy(), angles.copy())
    for row in 0..<rows {
      for column in 0..<dimension / 2 {
        cosines[row, column] = cos(4 * angles[row, column])
        sines[row, column] = sin(4 * angles[row, column])
      }
    }
    let x = Matrix.part(rows: rows, columns: heads * dimension, seed: 8)
    let gradient = Matrix.part(rows: rows, columns: heads * dimension, seed: 9)
    let (turned, back) = (x.copy(), gradient.copy())
    rotate(turned, dimension: dimension, interleaved: interleaved, cosines: cosines, sines: sines)
    rotate(back, dimension: dimension, interleaved: interleaved, cosines: cosines, sines: sines, inverse: true)
    for (a, b) in zip(rowDots(turned, gradient), rowDots(x, back)) { #expect(abs(a - b) < 1e-5) }
    rotate(turned, dimension: dimension, interleaved: interleaved, cosines: cosines, sines: sines, inverse: true)
    for row in 0..<rows { #expect(zip(turned.row(row), x.row(row)).allSatisfy { abs($0 - $1) < 1e-6 }) }
  }

  @Test(arguments: shapes) func theSoftmaxsGradientIsThatOfTheLogLikelihood(shape: (Int, Int)) {
    let (rows, columns) = shape
    let logits = Matrix.part(rows: rows, columns: columns, seed: 10)
    let start = logits.copy()
    let sums = (0..<rows).map { row in log(start.row(row).reduce(0) { $0 + exp(Double($1)) }) }
    exponentials(logits, logSumExp: sums)
    for row in 0..<rows {
      let target = row % columns
      func loss(_ x: [Double]) -> Double { log(x.reduce(0) { $0 + exp($1) }) - x[target] }
      let x = start.row(row).map(Double.init)
      for column in 0..<columns {
        let found = Double(logits[row, column]) - (column == target ? 1 : 0)
        #expect(abs(found - derivative(of: loss, at: x, column)) < 1e-6)
      }
    }
  }

  /// A logarithm that float32 rounds costs no accuracy.
  @Test func theSoftmaxsGradientTakesTheSumInFloat64() {
    let logits = Matrix(rows: 1, columns: 2, elements: [1000, 990])
    let sum = 1000 + log(1 + exp(-10.0))
    exponentials(logits, logSumExp: [sum])
    for (found, logit) in zip(logits.row(0), [1000.0, 990]) {
      #expect(abs(Double(found) / exp(logit - sum) - 1) < 1e-6)
    }
  }

  @Test(arguments: shapes) func rowDotsAreSumsOfProducts(shape: (Int, Int)) {
    let a = Matrix.part(rows: shape.0, columns: shape.1, seed: 11)
    let b = Matrix.part(rows: shape.0, columns: shape.1, seed: 12)
    let dots = rowDots(a, b)
    #expect(dots.count == shape.0)
    for row in 0..<shape.0 {
      let expected = zip(a.row(row), b.row(row)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      #expect(abs(Double(dots[row]) - expected) < 1e-5)
    }
  }
}

/// (tokens, query heads, key-value heads, head dimension, sight): one block of queries and several, within and at the
/// edges of panels, grouped heads, sights of a block, less and more.
private let attentions = [
  (1, 2, 1, 16, Int.max), (48, 2, 2, 32, Int.max), (70, 4, 2, 32, Int.max), (97, 3, 1, 20, Int.max),
  (110, 6, 2, 20, 41), (130, 2, 1, 32, 1), (100, 3, 3, 40, 60),
]

@Suite struct AttentionGradientTests {
  /// Of queries, keys and values that stand side by side in one matrix, as a layer's projections do.
  @Test(arguments: attentions, AttentionLoss.Kind.allCases)
  private func theGradientsAreDerivatives(shape: (Int, Int, Int, Int, Int), kind: AttentionLoss.Kind) {
    let reference = AttentionLoss(shape, kind)
    #expect(abs(reference.found - reference.loss(reference.point)) < 1e-4)
    let (gradients, whole) = reference.gradients()
    #expect((0..<whole.rows).allSatisfy { whole[$0, reference.columns] == 7 }, "written beside the gradients")
    let point = reference.point
    var generator = SplitMix64(seed: 20)
    // Every number counts in a direction; a single one shows more sharply.
    for part in reference.parts {
      for _ in 0..<4 {
        let direction = point.indices.map { index in
          part.contains(index % reference.columns) ? generator.nextNormal() : 0
        }
        let step = 1e-4
        let expected =
          (reference.loss(zip(point, direction).map { $0 + step * $1 })
            - reference.loss(zip(point, direction).map { $0 - step * $1 })) / (2 * step)
        let found = zip(gradients, direction).reduce(0) { $0 + $1.0 * $1.1 }
        // Roundings of float32 are random in sign; with them, the third derivative along the direction.
        let size = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(found - expected) < 1e-5 * size, "\(part)")
      }
      for _ in 0..<12 {
        let row = Int(generator.next() % UInt64(reference.tokens))
        let column = part.lowerBound + Int(generator.next() % UInt64(part.count))
        let index = row * reference.columns + column
        #expect(abs(gradients[index] - derivative(of: reference.loss, at: point, index)) < 1e-5)
      }
    }
  }

  @Test func gradientsAreTheSameToTheBit() {
    let reference = AttentionLoss((150, 6, 2, 32, Int.max))
    #expect(reference.gradients().numbers == reference.gradients().numbers)
  }
}

/// Σ gradient ⊙ attention, of the queries, keys and values in one matrix of one row for each token.
private struct AttentionLoss {
  /// How scores are made: plainly; capped; with sinks; capped with values of their own width and sinks.
  enum Kind: CaseIterable {
    case plain, capped, sinking, all
  }

  let tokens: Int
  private let heads: Int
  private let sharedHeads: Int
  private let scoring: AttentionScoring
  private let projected: Matrix
  private let gradient: Matrix

  init(_ shape: (Int, Int, Int, Int, Int), _ kind: Kind = .plain) {
    let (dimension, sight): (Int, Int)
    (tokens, heads, sharedHeads, dimension, sight) = shape
    scoring =
      switch kind {
      case .plain: AttentionScoring(dimension: dimension, sight: sight)
      case .capped: AttentionScoring(dimension: dimension, sight: sight, scale: 0.4, cap: 0.7)
      case .sinking:
        AttentionScoring(dimension: dimension, sight: sight, sinks: (0..<heads).map { 2 - 1.5 * Float($0) })
      case .all:
        AttentionScoring(
          dimension: dimension, valueDimension: dimension - 3, sight: sight, scale: 0.3, cap: 1.5,
          sinks: (0..<heads).map { 0.5 * Float($0) })
      }
    projected = Matrix.part(
      rows: tokens, columns: heads * dimension + sharedHeads * (dimension + scoring.valueDimension), seed: 13)
    gradient = Matrix.part(rows: tokens, columns: heads * scoring.valueDimension, seed: 14)
  }

  var columns: Int { projected.columns }

  /// The columns of queries, of keys and of values.
  var parts: [Range<Int>] {
    let (queries, keys) = (heads * scoring.dimension, (heads + sharedHeads) * scoring.dimension)
    return [0..<queries, queries..<keys, keys..<columns]
  }

  var point: [Double] { (0..<tokens).flatMap(projected.row).map(Double.init) }

  /// The loss of what `attend` gathers.
  var found: Double {
    let context = Matrix(rows: tokens, columns: gradient.columns)
    attend(
      queries: projected[columns: parts[0]], keys: projected[columns: parts[1]], values: projected[columns: parts[2]],
      scoring: scoring, into: context)
    return (0..<tokens).reduce(0) { sum, row in
      zip(context.row(row), gradient.row(row)).reduce(sum) { $0 + Double($1.0) * Double($1.1) }
    }
  }

  /// The gradients found, and the matrix, one column wider and filled with 7, in which they stand.
  func gradients() -> (numbers: [Double], whole: Matrix) {
    let whole = Matrix(rows: tokens, columns: columns + 1)
    whole.fill(7)
    attendGradient(
      queries: projected[columns: parts[0]], keys: projected[columns: parts[1]], values: projected[columns: parts[2]],
      scoring: scoring, gradient: gradient, queryGradient: whole[columns: parts[0]],
      keyGradient: whole[columns: parts[1]], valueGradient: whole[columns: parts[2]])
    return ((0..<tokens).flatMap(whole[columns: 0..<columns].row).map(Double.init), whole)
  }

  func loss(_ x: [Double]) -> Double {
    let (dimension, valueDimension) = (scoring.dimension, scoring.valueDimension)
    var result = 0.0
    for token in 0..<tokens {
      let first = scoring.sight > token ? 0 : token - scoring.sight + 1
      let upstream = gradient.row(token)
      for head in 0..<heads {
        let shared = head / (heads / sharedHeads)
        let query = token * columns + head * dimension
        var (sum, weighted) = (scoring.sinks.map { exp(Double($0[head])) } ?? 0, 0.0)
        for other in first...token {
          let key = other * columns + (heads + shared) * dimension
          let value = other * columns + (heads + sharedHeads) * dimension + shared * valueDimension
          var (score, along) = (0.0, 0.0)
          for i in 0..<dimension { score += x[query + i] * x[key + i] }
          for i in 0..<valueDimension { along += Double(upstream[head * valueDimension + i]) * x[value + i] }
          score *= Double(scoring.scale)
          if let cap = scoring.cap.map(Double.init) { score = cap * tanh(score / cap) }
          let weight = exp(score)
          sum += weight
          weighted += weight * along
        }
        result += weighted / sum
      }
    }
    return result
  }
}

/// In float64, by the definition.
private func value(of activation: GatedActivation, _ gate: Double, _ up: Double) -> Double {
  switch activation {
  case .silu: return gate / (1 + exp(-gate)) * up
  case .geluTanh:
    return 0.5 * gate * (1 + tanh((2 / Double.pi).squareRoot() * (gate + 0.044715 * gate * gate * gate))) * up
  case .clampedSilu(let slope, let limit):
    let gate = min(gate, Double(limit))
    return gate / (1 + exp(-Double(slope) * gate)) * (min(max(up, -Double(limit)), Double(limit)) + 1)
  }
}

/// By a central difference.
private func derivative(of loss: ([Double]) -> Double, at x: [Double], _ index: Int) -> Double {
  let step = 1e-5
  var (above, below) = (x, x)
  above[index] += step
  below[index] -= step
  return (loss(above) - loss(below)) / (2 * step)
}

private func isUntouched(_ found: Matrix, _ start: Matrix, outside columns: Range<Int>, rows: Int) -> Bool {
  (0..<start.rows).allSatisfy { row in
    (0..<start.columns).allSatisfy { column in
      row < rows && columns.contains(column) || found[row, column] == start[row, column]
    }
  }
}

extension Matrix {
  /// A part of a larger matrix.
  fileprivate static func part(rows: Int, columns: Int, seed: UInt64) -> Matrix {
    uniform(rows: rows + 2, columns: columns + 5, seed: seed)[rows: 1..<rows + 1][columns: 3..<columns + 3]
  }
}
