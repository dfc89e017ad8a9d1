import Foundation
import Tensors
import Testing

/// The gated delta rule against its definition in float64, and its gradients against differences.
@Suite struct DeltaRuleTests {
  private static let shapes = [(1, 4, 3), (31, 8, 6), (32, 8, 8), (97, 5, 12)]

  /// A head with a state before it, and what its outputs and its last state are multiplied by.
  private struct Head {
    let (rows, keys, values): (Int, Int, Int)
    /// Queries, keys, values, decays and rates of all rows, then the state.
    var numbers: [Double]
    let outputWeights: Matrix
    let stateWeights: Matrix

    init(_ shape: (Int, Int, Int)) {
      (rows, keys, values) = shape
      var generator = SplitMix64(seed: 3)
      let (rows, keys, values) = shape
      var numbers: [Double] = []
      for _ in 0..<rows {
        numbers += (0..<2 * keys).map { _ in generator.nextNormal() / Double(keys).squareRoot() }
        numbers += (0..<values).map { _ in generator.nextNormal() }
        numbers += [0.5 + 0.4 * tanh(generator.nextNormal()), 0.5 + 0.4 * tanh(generator.nextNormal())]
      }
      numbers += (0..<keys * values).map { _ in generator.nextNormal() }
      // As float32 has them.
      self.numbers = numbers.map { Double(Float($0)) }
      outputWeights = Matrix.uniform(rows: rows, columns: values, seed: 4)
      stateWeights = Matrix.uniform(rows: keys, columns: values, seed: 5)
    }

    var width: Int { 2 * keys + values + 2 }

    var rule: DeltaRule {
      func columns(_ range: Range<Int>) -> Matrix {
        Matrix(
          rows: rows, columns: range.count,
          elements: (0..<rows).flatMap { row in range.map { Float(numbers[row * width + $0]) } })
      }
      return DeltaRule(
        queries: columns(0..<keys), keys: columns(keys..<2 * keys), values: columns(2 * keys..<2 * keys + values),
        decays: (0..<rows).map { Float(numbers[$0 * width + width - 2]) },
        rates: (0..<rows).map { Float(numbers[$0 * width + width - 1]) })
    }

    var state: Matrix {
      Matrix(rows: keys, columns: values, elements: numbers[(rows * width)...].map(Float.init))
    }

    /// Outputs and last state, by the definition.
    func run(_ x: [Double]) -> (outputs: [Double], state: [Double]) {
      var state = Array(x[(rows * width)...])
      var outputs: [Double] = []
      for row in 0..<rows {
        let own = Array(x[row * width..<(row + 1) * width])
        let (query, key, value) = (own[..<keys], own[keys..<2 * keys], own[2 * keys..<2 * keys + values])
        let (decay, rate) = (own[width - 2], own[width - 1])
        state = state.map { $0 * decay }
        for v in 0..<values {
          var read = 0.0
          for k in 0..<keys { read += key[keys + k] * state[k * values + v] }
          let correction = rate * (value[2 * keys + v] - read)
          for k in 0..<keys { state[k * values + v] += key[keys + k] * correction }
        }
        for v in 0..<values {
          var sum = 0.0
          for k in 0..<keys { sum += query[k] * state[k * values + v] }
          outputs.append(sum)
        }
      }
      return (outputs, state)
    }

    func loss(_ x: [Double]) -> Double {
      let (outputs, state) = run(x)
      return dot(outputs, outputWeights) + dot(state, stateWeights)
    }
  }

  @Test(arguments: shapes) func outputsAndStateAreThoseOfTheDefinition(_ shape: (Int, Int, Int)) {
    let head = Head(shape)
    let state = head.state
    let outputs = Matrix(rows: head.rows, columns: head.values)
    head.rule.run(state, into: outputs)
    let expected = head.run(head.numbers)
    #expect(zip(numbers(outputs), expected.outputs).allSatisfy { abs(Double($0) - $1) < 2e-5 })
    #expect(zip(numbers(state), expected.state).allSatisfy { abs(Double($0) - $1) < 2e-5 })
  }

  @Test(arguments: shapes) func gradientsAreDifferencesOfTheLoss(_ shape: (Int, Int, Int)) {
    let head = Head(shape)
    var gradients = DeltaRule.Gradients(
      queries: Matrix(rows: head.rows, columns: head.keys), keys: Matrix(rows: head.rows, columns: head.keys),
      values: Matrix(rows: head.rows, columns: head.values))
    let stateGradient = head.stateWeights.copy()
    head.rule.propagate(head.outputWeights, from: head.state, stateGradient: stateGradient, into: &gradients)
    var found: [Float] = []
    for row in 0..<head.rows {
      found += gradients.queries.row(row) + gradients.keys.row(row) + gradients.values.row(row)
      found += [gradients.decays[row], gradients.rates[row]]
    }
    found += numbers(stateGradient)
    #expect(found.count == head.numbers.count)
    for index in found.indices {
      var (above, below) = (head.numbers, head.numbers)
      above[index] += 1e-5
      below[index] -= 1e-5
      let expected = (head.loss(above) - head.loss(below)) / 2e-5
      #expect(abs(Double(found[index]) - expected) < 1e-4 * (1 + abs(expected)), "number \(index)")
    }
  }

  /// Each channel by itself; ⟨convolve(x), g⟩ = ⟨x, convolveGradient(g)⟩.
  @Test func theConvolutionAndItsTranspose() {
    let (rows, width, channels) = (13, 4, 37)
    let source = Matrix.uniform(rows: rows + width - 1, columns: channels, seed: 1)
    let weights = Matrix.uniform(rows: width, columns: channels, seed: 2)
    let target = Matrix(rows: rows, columns: channels)
    convolve(source, weights: weights, into: target)
    for row in 0..<rows {
      for channel in 0..<channels {
        var expected: Float = 0
        for w in 0..<width { expected += weights[w, channel] * source[row + w, channel] }
        #expect(abs(target[row, channel] - expected) < 1e-5)
      }
    }
    let gradient = Matrix.uniform(rows: rows, columns: channels, seed: 3)
    let back = Matrix(rows: rows + width - 1, columns: channels)
    convolveGradient(gradient, weights: weights, addingTo: back)
    let there = dot(numbers(target).map(Double.init), gradient)
    #expect(abs(there - dot(numbers(source).map(Double.init), back)) < 1e-4)
  }

  @Test func sigmoidsAndTheirGradients() {
    let values = Matrix.uniform(rows: 3, columns: 41, seed: 1)
    let gates = Matrix.uniform(rows: 3, columns: 41, seed: 2)
    scale(gates, by: 6)
    let gradient = Matrix.uniform(rows: 3, columns: 41, seed: 3)
    let (made, back, gateBack) = (values.copy(), gradient.copy(), gates.copy())
    multiplyBySigmoids(made, gates)
    propagateSigmoids(back, through: values, gateBack)
    let found = [made, back, gateBack].map(numbers)
    for (index, value) in numbers(values).enumerated() {
      let sigmoid = 1 / (1 + exp(-Double(numbers(gates)[index])))
      let upstream = Double(numbers(gradient)[index])
      #expect(abs(Double(found[0][index]) - Double(value) * sigmoid) < 1e-6)
      #expect(abs(Double(found[1][index]) - upstream * sigmoid) < 1e-6)
      let expected = upstream * Double(value) * sigmoid * (1 - sigmoid)
      #expect(abs(Double(found[2][index]) - expected) < 1e-6)
    }
  }

  /// Small scores stay, large ones end at the cap; the gradient is the derivative.
  @Test func softCaps() {
    let scores = Matrix(rows: 1, columns: 5, elements: [-1000, -3, 0, 0.01, 700])
    let capped = scores.copy()
    softCap(capped, scale: 0.5, cap: 4)
    let gradient = Matrix(rows: 1, columns: 5, elements: [1, 1, 1, 1, 1])
    softCapGradient(scores, scale: 0.5, cap: 4, gradient: gradient)
    for (index, score) in numbers(scores).map(Double.init).enumerated() {
      let tangent = tanh(score * 0.5 / 4)
      #expect(abs(Double(numbers(capped)[index]) - 4 * tangent) < 2e-6)
      #expect(abs(Double(numbers(gradient)[index]) - 0.5 * (1 - tangent * tangent)) < 1e-6)
    }
  }
}

private func numbers(_ matrix: Matrix) -> [Float] { (0..<matrix.rows).flatMap(matrix.row) }

private func dot(_ a: [Double], _ b: Matrix) -> Double {
  var sum = 0.0
  for (x, y) in zip(a, numbers(b)) { sum += x * Double(y) }
  return sum
}
