internal import Tensors

/// One layer's keys and values of all tokens of a text so far, rotated to their positions.
final class KeyValueCache {
  private let allKeys: Matrix
  private let allValues: Matrix
  private(set) var count = 0

  /// - Parameter capacity: The tokens that the text may have in the end.
  init(capacity: Int, keyWidth: Int, valueWidth: Int) {
    allKeys = Matrix(rows: capacity, columns: keyWidth)
    allValues = Matrix(rows: capacity, columns: valueWidth)
  }

  /// The keys so far: (tokens, key width).
  var keys: Matrix { allKeys[rows: 0..<count] }
  /// The values so far: (tokens, value width).
  var values: Matrix { allValues[rows: 0..<count] }

  func append(keys: Matrix, values: Matrix) {
    let rows = count..<count + keys.rows
    allKeys[rows: rows].assign(keys)
    allValues[rows: rows].assign(values)
    count = rows.upperBound
  }
}
