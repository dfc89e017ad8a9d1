internal import CKernels

/// One head of the gated delta rule (arXiv 2412.06464): a state (keys, values) that decays, is corrected where it says of
/// a key something else than its value, and is read by queries.
///
/// For each row, with α the decay, β the rate: S = α S; c = β (v − Sᵀ k); S = S + k cᵀ; output = Sᵀ q.
package struct DeltaRule {
  /// (rows, keys)
  package let queries: Matrix
  package let keys: Matrix
  /// (rows, values)
  package let values: Matrix
  /// α and β of each row.
  package let decays: [Float]
  package let rates: [Float]

  package init(queries: Matrix, keys: Matrix, values: Matrix, decays: [Float], rates: [Float]) {
    precondition(keys.rows == queries.rows && values.rows == queries.rows && keys.columns == queries.columns)
    precondition(decays.count == queries.rows && rates.count == queries.rows, "one decay and one rate for each row")
    (self.queries, self.keys, self.values, self.decays, self.rates) = (queries, keys, values, decays, rates)
  }

  /// Rows whose states exist at once on the way back.
  private static let segment = 32

  private var rows: Int { queries.rows }

  /// Goes through all rows.
  ///
  /// - Parameters:
  ///   - state: (keys, values), before the first row; becomes that after the last.
  ///   - outputs: (rows, values)
  package func run(_ state: Matrix, into outputs: Matrix) {
    check(state, outputs)
    let correction = Matrix(unfilled: 1, columns: values.columns)
    withInputs(0..<rows) { inputs in
      laser_delta_rule(
        inputs, rows, keys.columns, values.columns, state.base, 0, correction.base, outputs.base, outputs.stride)
    }
  }

  /// The gradients of `run`, all overwritten.
  package struct Gradients {
    /// Of the shapes of queries, keys and values.
    package let queries: Matrix
    package let keys: Matrix
    package let values: Matrix
    package var decays: [Float]
    package var rates: [Float]

    package init(queries: Matrix, keys: Matrix, values: Matrix) {
      (self.queries, self.keys, self.values) = (queries, keys, values)
      decays = Array(repeating: 0, count: queries.rows)
      rates = Array(repeating: 0, count: queries.rows)
    }
  }

  /// The way back. States are made again from some that are kept, for a number of rows at a time.
  ///
  /// - Parameters:
  ///   - first: The state before the first row; left as it is.
  ///   - outputGradient: (rows, values)
  ///   - stateGradient: (keys, values), at the state after the last row; becomes that at the first.
  package func propagate(
    _ outputGradient: Matrix, from first: Matrix, stateGradient: Matrix, into gradients: inout Gradients
  ) {
    check(first, outputGradient)
    precondition(stateGradient.rows == first.rows && stateGradient.columns == first.columns)
    precondition(stateGradient.isContiguous, "a state in pieces")
    let segments = Parallelism.blocks(of: rows, size: Self.segment)
    let (keyCount, valueCount) = (keys.columns, values.columns)
    let size = keyCount * valueCount
    // The state before each segment.
    let kept = Matrix(unfilled: segments.count + 1, columns: size)
    kept.base.update(from: first.base, count: size)
    let states = Matrix(unfilled: Self.segment + 1, columns: size)
    let corrections = Matrix(unfilled: Self.segment, columns: valueCount)
    let unread = Matrix(unfilled: Self.segment, columns: valueCount)
    for (index, segment) in segments.enumerated() {
      (kept.base + (index + 1) * size).update(from: kept.base + index * size, count: size)
      withInputs(segment) { inputs in
        laser_delta_rule(
          inputs, segment.count, keyCount, valueCount, kept.base + (index + 1) * size, 0, corrections.base, unread.base,
          unread.stride)
      }
    }
    for (index, segment) in segments.enumerated().reversed() {
      states.base.update(from: kept.base + index * size, count: size)
      withInputs(segment) { inputs in
        laser_delta_rule(
          inputs, segment.count, keyCount, valueCount, states.base, size, corrections.base, unread.base, unread.stride)
        gradients.decays.withUnsafeMutableBufferPointer { decays in
          gradients.rates.withUnsafeMutableBufferPointer { rates in
            guard let decays = decays.baseAddress, let rates = rates.baseAddress else { return }
            let (q, k, v) = (gradients.queries, gradients.keys, gradients.values)
            var results = laser_delta_gradients(
              queries: q.base + segment.lowerBound * q.stride, keys: k.base + segment.lowerBound * k.stride,
              values: v.base + segment.lowerBound * v.stride, decays: decays + segment.lowerBound,
              rates: rates + segment.lowerBound, query_stride: q.stride, key_stride: k.stride, value_stride: v.stride)
            laser_delta_rule_gradient(
              inputs, segment.count, keyCount, valueCount, states.base, corrections.base,
              outputGradient.base + segment.lowerBound * outputGradient.stride, outputGradient.stride,
              stateGradient.base, &results, unread.base)
          }
        }
      }
    }
  }

  /// Numbers that the way back takes for each row beside its gradients: its share of a state that is kept.
  package static func gradientNumbers(perRowOf keys: Int, _ values: Int) -> Int { keys * values / segment + 1 }

  /// Numbers that it takes at once, given those of a state: the states of a segment.
  package static func gradientNumbers(atOnce state: Int) -> Int { (segment + 4) * state }

  private func check(_ state: Matrix, _ outputs: Matrix) {
    precondition(state.rows == keys.columns && state.columns == values.columns && state.isContiguous, "another state")
    precondition(outputs.rows == rows && outputs.columns == values.columns, "shapes differ")
  }

  private func withInputs(_ range: Range<Int>, _ body: (UnsafePointer<laser_delta_inputs>) -> Void) {
    guard !range.isEmpty else { return }
    decays.withUnsafeBufferPointer { decays in
      rates.withUnsafeBufferPointer { rates in
        guard let decays = decays.baseAddress, let rates = rates.baseAddress else { return }
        var inputs = laser_delta_inputs(
          queries: queries.base + range.lowerBound * queries.stride, keys: keys.base + range.lowerBound * keys.stride,
          values: values.base + range.lowerBound * values.stride, decays: decays + range.lowerBound,
          rates: rates + range.lowerBound, query_stride: queries.stride, key_stride: keys.stride,
          value_stride: values.stride)
        body(&inputs)
      }
    }
  }
}

/// target row r = Σ weights row w ⊙ source row r + w: a convolution of each channel by itself.
///
/// - Parameters:
///   - source: (rows + width − 1, channels), the first width − 1 rows being those before.
///   - weights: (width, channels)
///   - target: (rows, channels)
package func convolve(_ source: Matrix, weights: Matrix, into target: Matrix) {
  precondition(source.rows == target.rows + weights.rows - 1, "rows differ")
  precondition(source.columns == target.columns && weights.columns == target.columns && weights.isContiguous)
  laser_causal_convolution(
    source.base, source.stride, weights.base, weights.rows, target.rows, target.columns, target.base, target.stride)
}

/// Adds to result the gradient of `convolve` with respect to its source, `gradient` being that with respect to its target.
package func convolveGradient(_ gradient: Matrix, weights: Matrix, addingTo result: Matrix) {
  precondition(result.rows == gradient.rows + weights.rows - 1, "rows differ")
  precondition(result.columns == gradient.columns && weights.columns == gradient.columns && weights.isContiguous)
  laser_causal_convolution_gradient(
    gradient.base, gradient.stride, weights.base, weights.rows, gradient.rows, gradient.columns, result.base,
    result.stride)
}
