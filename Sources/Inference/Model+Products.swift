internal import Checkpoints
package import Models
internal import Tensors

/// A model's weights as the forward pass takes them: ready for products, and page by page where memory does not hold
/// them all.
extension Model {
  /// The same model, run within some memory.
  package func within(_ plan: MemoryPlan) -> Model {
    var result = self
    result.execution.streamsWeights = plan.streams
    result.execution.channelLimit = plan.channels
    return result
  }

  /// A weight matrix for products with the tokens that the model is used on.
  func weightsForProducts(_ reference: TensorReference) throws(CheckpointError) -> ProductWeights {
    execution.usesStoredWeights ? .stored(try stored(reference)) : .packed(try packed(reference))
  }

  /// A norm's weights, as what is normed is multiplied by them: one row.
  func normWeights(_ reference: TensorReference) throws(CheckpointError) -> Matrix {
    let weights = try weights(reference)
    let offset = configuration.normOffset
    return offset == 0
      ? weights : Matrix(rows: 1, columns: weights.columns, elements: weights.row(0).map { $0 + offset })
  }

  /// The same; nil for no norm.
  func normWeights(_ reference: TensorReference?) throws(CheckpointError) -> Matrix? {
    guard let reference else { return nil }
    return try normWeights(reference)
  }

  /// A bias as one row; nil for none.
  func bias(_ reference: TensorReference?) throws(CheckpointError) -> Matrix? {
    guard let reference else { return nil }
    return try weights(reference)
  }

  /// A whole weight matrix, or some of its rows, ready for products.
  ///
  /// - Parameter precision: Nil for the one that the model is run in.
  func packed(
    _ reference: TensorReference, rows: Range<Int>? = nil, precision: Precision? = nil
  ) throws(CheckpointError) -> PackedMatrix {
    try packed([weight(reference)], rows: rows, precision: precision)
  }

  /// A weight matrix in use. While it is held, one that is made of what is stored is made once.
  struct Weight {
    let reference: TensorReference
    let stored: StoredMatrix
  }

  func weight(_ reference: TensorReference) throws(CheckpointError) -> Weight {
    Weight(reference: reference, stored: try stored(reference))
  }

  /// Weight matrices of one width on top of each other, of each the same rows or columns, or all. Of some columns, the
  /// pages stay: the other columns are in them too.
  ///
  /// - Parameter precision: Nil for the one that the model is run in.
  func packed(
    _ weights: [Weight], rows: Range<Int>? = nil, columns: Range<Int>? = nil, precision: Precision? = nil
  ) throws(CheckpointError) -> PackedMatrix {
    func parts(_ weights: [Weight]) -> [StoredRows] {
      weights.map { StoredRows($0.stored, rows ?? 0..<$0.reference.rows) }
    }
    defer {
      if columns == nil { for weight in weights { release(weight, rows: rows) } }
    }
    do throws(StoredMatrix.NotFinite) {
      return try PackedMatrix(parts(weights), columns: columns, precision: precision ?? execution.precision)
    } catch {
      let damaged = weights.first { weight in
        (try? PackedMatrix(parts([weight]), columns: columns, precision: .float32)) == nil
      }
      throw notFinite((damaged ?? weights[0]).reference)
    }
  }

  /// The embeddings of some tokens: (tokens, hidden).
  func embeddings(of tokens: [Int32]) throws(CheckpointError) -> Matrix {
    let weight = try weight(layout.embedding)
    defer { release(weight) }
    do throws(StoredMatrix.NotFinite) {
      let result = try weight.stored.decoded(rowsAt: tokens)
      scale(result, by: configuration.multipliers.embedding)
      return result
    } catch {
      throw notFinite(layout.embedding)
    }
  }

  // MARK: Pages

  /// Gives back the memory of a tensor's pages, if not all weights fit into memory.
  func release(_ weight: Weight, rows: Range<Int>? = nil) {
    guard execution.streamsWeights else { return }
    weight.stored.release(rows: rows ?? 0..<weight.reference.rows)
  }

  /// Asks for weights to be read from disk, if not all fit into memory.
  func readAhead(_ references: [TensorReference]) {
    guard execution.streamsWeights else { return }
    for reference in references { (try? stored(reference))?.region.readAhead() }
  }

  /// Asks for the first weights that a layer needs; after the last layer, for the vocabulary's.
  func readAhead(layer: Int) {
    guard layer < layout.layers.count else { return readAhead([layout.head]) }
    let layer = layout.layers[layer]
    readAhead(layer.attention.matrices.map(\.reference) + layer.experts.prefix(1).flatMap(\.all))
  }
}
