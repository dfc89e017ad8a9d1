internal import Checkpoints
internal import Models
internal import Tensors

/// Weight matrices on top of each other, (outputs, inputs), for products with gradients at their outputs: g · W.
///
/// Packed a block of outputs at a time, so that the matrix never exists unpacked as a whole. A block begins where the
/// sums of products begin anew anyway: no bit depends on its size.
struct TransposedWeights {
  private let parts: [(outputs: Range<Int>, weights: PackedMatrix)]

  /// Outputs that are decoded at once; a whole number of blocks of the inner dimension of products.
  static let block = 512

  init(_ references: [TensorReference], of model: Model) throws(CheckpointError) {
    var starts = [0]
    for reference in references { starts.append(starts[starts.count - 1] + reference.rows) }
    var parts: [(outputs: Range<Int>, weights: PackedMatrix)] = []
    for outputs in Parallelism.blocks(of: starts[references.count], size: Self.block) {
      let numbers = Matrix(unfilled: outputs.count, columns: references[0].columns)
      for (reference, start) in zip(references, starts) {
        let here = outputs.clamped(to: start..<start + reference.rows)
        guard !here.isEmpty else { continue }
        try model.decode(
          reference, rows: here.lowerBound - start..<here.upperBound - start,
          into: numbers[rows: here.lowerBound - outputs.lowerBound..<here.upperBound - outputs.lowerBound])
      }
      parts.append((outputs, PackedMatrix(transposing: numbers)))
    }
    self.parts = parts
  }

  /// target (rows, inputs) = gradients (rows, outputs) · W, or that added to it.
  func multiply(_ gradients: Matrix, adding: Bool = false, into target: Matrix) {
    for (index, part) in parts.enumerated() {
      Tensors.multiply(
        gradients[columns: part.outputs], transposed: part.weights, adding: adding || index > 0, into: target)
    }
  }
}

extension Model {
  /// Some outputs of a weight matrix, (those, inputs), for products with gradients at them.
  func packedTranspose(of weight: Weight, rows: Range<Int>) throws(CheckpointError) -> PackedMatrix {
    defer { release(weight, rows: rows) }
    do throws(StoredMatrix.NotFinite) {
      return PackedMatrix(transposing: try weight.stored.decoded(rows: rows))
    } catch { throw notFinite(weight.reference) }
  }

  /// A weight matrix's columns for some inputs, (outputs, those), for products with gradients at its outputs. Its
  /// pages stay: the other columns are in them too.
  func packedTranspose(of weight: Weight, columns: Range<Int>) throws(CheckpointError) -> PackedMatrix {
    do throws(StoredMatrix.NotFinite) {
      return PackedMatrix(transposing: try weight.stored.decoded(columns: columns))
    } catch { throw notFinite(weight.reference) }
  }
}
