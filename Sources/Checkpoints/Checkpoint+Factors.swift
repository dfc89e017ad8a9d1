internal import Tensors

extension Checkpoint {
  /// The factors of a matrix that is stored so; nil if it is stored as it is, or not at all.
  ///
  /// - Throws: `CheckpointError` if they do not make a matrix of that shape.
  func factors(of reference: TensorReference) throws(CheckpointError) -> LowRankFactors? {
    guard isFactored, places[reference.tensor] == nil, reference.isWholeMatrix,
      let leftName = FactoredFormat.leftName(of: reference.tensor),
      let rightName = FactoredFormat.rightName(of: reference.tensor)
    else { return nil }
    let (left, right) = (places[leftName], places[rightName])
    guard let left, let right else {
      if left == nil, right == nil { return nil }
      let missing = left == nil ? leftName : rightName
      throw CheckpointError(.missingTensor, file: path, tensor: missing, "the checkpoint has the other factor only")
    }
    func shape(_ place: Place, _ name: String, _ expected: String) -> CheckpointError {
      error(.wrongShape, tensor: name, "its shape is \(place.shape) but the factors need \(expected)")
    }
    guard left.shape.count == 2, left.shape[0] == reference.rows else {
      throw shape(left, leftName, "[\(reference.rows), rank]")
    }
    let rank = left.shape[1]
    guard right.shape == [rank, reference.columns] else {
      throw shape(right, rightName, "[\(rank), \(reference.columns)]")
    }
    let (count, overflow) = reference.rows.multipliedReportingOverflow(by: reference.columns)
    guard !overflow, count <= FactoredFormat.largestProduct else {
      throw error(
        .wrongShape, tensor: leftName,
        "its matrix would have \(reference.rows) × \(reference.columns) numbers, more than the "
          + "\(FactoredFormat.largestProduct) allowed")
    }
    let parts = [
      try matrix(TensorReference(name: leftName, rows: reference.rows, columns: rank)),
      try matrix(TensorReference(name: rightName, rows: rank, columns: reference.columns)),
    ]
    guard parts[0].type == parts[1].type else {
      throw error(.unsupported, tensor: rightName, "its type is \(right.type) but the other factor's \(left.type)")
    }
    return LowRankFactors(left: parts[0], right: parts[1])
  }

  /// The matrices that are stored as factors, by the names of their tensors.
  var factoredMatrices: [TensorReference] {
    guard isFactored else { return [] }
    return tensorNames.compactMap { name in
      guard let tensor = FactoredFormat.tensor(ofLeft: name), places[tensor] == nil,
        let right = FactoredFormat.rightName(of: tensor).flatMap({ places[$0] }),
        let left = places[name], left.shape.count == 2, right.shape.count == 2
      else { return nil }
      return TensorReference(name: tensor, rows: left.shape[0], columns: right.shape[1])
    }
  }
}
