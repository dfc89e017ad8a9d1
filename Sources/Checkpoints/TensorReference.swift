/// A matrix in a checkpoint: a stored tensor by name with the shape that it must have, and which of its rows are meant.
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

  package var rows: Int { storedRows.count }
  package var columns: Int { shape.last ?? 0 }
  /// Whether this is all of a tensor of two dimensions.
  package var isWholeMatrix: Bool { shape.count == 2 && rows == shape[0] }

  /// A whole tensor of two dimensions.
  package init(name: String, rows: Int, columns: Int) {
    tensor = name
    shape = [rows, columns]
    storedRows = 0..<rows
  }

  /// Consecutive rows of a tensor of two dimensions.
  package init(name: String, shape: (rows: Int, columns: Int), rows: Range<Int>) {
    tensor = name
    self.shape = [shape.rows, shape.columns]
    storedRows = rows
  }

  /// Consecutive rows of one of the matrices stacked in a tensor of three dimensions.
  package init(name: String, shape: (count: Int, rows: Int, columns: Int), index: Int, rows: Range<Int>) {
    tensor = name
    self.shape = [shape.count, shape.rows, shape.columns]
    storedRows = index * shape.rows + rows.lowerBound..<index * shape.rows + rows.upperBound
  }

  /// The name that people and plans use: "model.norm.weight", "…qkv_proj.weight rows 0..<64", "…experts.gate_up_proj[3]
  /// rows 0..<352".
  package var name: String {
    guard shape.count >= 2 else { return tensor }
    let perMatrix = shape[shape.count - 2]
    let index = perMatrix > 0 ? storedRows.lowerBound / perMatrix : 0
    let rows = storedRows.lowerBound - index * perMatrix..<storedRows.upperBound - index * perMatrix
    return tensor + (shape.count > 2 ? "[\(index)]" : "") + (rows == 0..<perMatrix ? "" : " rows \(rows)")
  }
}
