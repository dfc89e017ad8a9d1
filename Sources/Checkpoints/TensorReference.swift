package import Tensors

/// A matrix in a checkpoint: a stored tensor by name with the shape that it must have, and which of its numbers are
/// meant.
///
/// The rows of a tensor of three dimensions (experts, rows, columns) are those of all experts on top of each other; a
/// vector is one row. So experts stored one by one, experts stacked, and matrices fused into one tensor are all the
/// same to whoever reads or replaces them.
package struct TensorReference: Sendable, Hashable {
  /// The stored tensor.
  package let tensor: String
  /// The shape of the stored tensor: (rows, columns) or (experts, rows, columns).
  package let shape: [Int]
  /// Counted over the whole tensor.
  package let storedRows: Range<Int>
  /// Which numbers of these rows make the matrix; nil for all, as they are stored.
  package let part: MatrixPart?

  package var rows: Int { partShape.rows }
  package var columns: Int { partShape.columns }
  /// The columns of the stored tensor.
  package var storedColumns: Int { shape.last ?? 0 }
  /// Whether this is all of a tensor of two dimensions.
  package var isWholeMatrix: Bool { shape.count == 2 && storedRows.count == shape[0] && part == nil }

  /// The same rows with all their numbers.
  var ofAllNumbers: TensorReference { TensorReference(self, part: nil) }

  private init(_ reference: TensorReference, part: MatrixPart?) {
    (tensor, shape, storedRows) = (reference.tensor, reference.shape, reference.storedRows)
    self.part = part
  }

  private var partShape: (rows: Int, columns: Int) {
    part?.shape(rows: storedRows.count, columns: storedColumns) ?? (storedRows.count, storedColumns)
  }

  /// A whole tensor of two dimensions.
  package init(name: String, rows: Int, columns: Int) {
    tensor = name
    shape = [rows, columns]
    storedRows = 0..<rows
    part = nil
  }

  /// Consecutive rows of a tensor of two dimensions, or a part of them.
  package init(name: String, shape: (rows: Int, columns: Int), rows: Range<Int>, part: MatrixPart? = nil) {
    tensor = name
    self.shape = [shape.rows, shape.columns]
    storedRows = rows
    self.part = part
  }

  /// Consecutive rows of one of the matrices stacked in a tensor of three dimensions, or a part of them.
  package init(
    name: String, shape: (count: Int, rows: Int, columns: Int), index: Int, rows: Range<Int>? = nil,
    part: MatrixPart? = nil
  ) {
    tensor = name
    self.shape = [shape.count, shape.rows, shape.columns]
    let rows = rows ?? 0..<shape.rows
    storedRows = index * shape.rows + rows.lowerBound..<index * shape.rows + rows.upperBound
    self.part = part
  }

  /// The name that people and plans use: "model.norm.weight", "…qkv_proj.weight rows 0..<64", "…experts.gate_up_proj[3]
  /// rows 0..<352", "…experts.gate_up_proj[3] columns 0, 2, …".
  package var name: String {
    guard shape.count >= 2 else { return tensor }
    let perMatrix = shape[shape.count - 2]
    let index = perMatrix > 0 ? storedRows.lowerBound / perMatrix : 0
    let rows = storedRows.lowerBound - index * perMatrix..<storedRows.upperBound - index * perMatrix
    return tensor + (shape.count > 2 ? "[\(index)]" : "") + (rows == 0..<perMatrix ? "" : " rows \(rows)")
      + (part.map { $0.name(rows: storedRows.count, columns: storedColumns) } ?? "")
  }
}

extension MatrixPart {
  /// " rows 1, 3, …", " columns 0..<352", " transposed"
  fileprivate func name(rows: Int, columns: Int) -> String {
    let word = axis == .rows ? " rows" : " columns"
    if step > 1 { return "\(word) \(first), \(first + step), …" }
    if count < (axis == .rows ? rows : columns) { return "\(word) \(first)..<\(first + count)" }
    return isTransposed ? " transposed" : ""
  }
}
