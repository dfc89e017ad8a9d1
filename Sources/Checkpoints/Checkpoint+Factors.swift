internal import Tensors

extension Checkpoint {
  /// The factors of a matrix that is stored so; nil if it is stored as it is, or not at all.
  ///
  /// - Throws: `CheckpointError` if they do not make a matrix of that shape.
  func factors(of reference: TensorReference) throws(CheckpointError) -> LowRankFactors? {
    guard isFactored, places[reference.tensor] == nil, reference.isWholeMatrix,
      let names = FactoredFormat.names(of: reference.tensor).first(where: {
        places[$0.left] != nil || places[$0.right] != nil
      })
    else { return nil }
    guard let left = places[names.left], let right = places[names.right] else {
      let missing = places[names.left] == nil ? names.left : names.right
      throw CheckpointError(.missingTensor, file: path, tensor: missing, "the checkpoint has the other factor only")
    }
    func shape(_ place: Place, _ name: String, _ expected: String) -> CheckpointError {
      error(.wrongShape, tensor: name, "its shape is \(place.shape) but the factors need \(expected)")
    }
    guard left.shape.count == 2, left.shape[0] == reference.rows else {
      throw shape(left, names.left, "[\(reference.rows), rank]")
    }
    let rank = left.shape[1]
    guard right.shape == [rank, reference.columns] else {
      throw shape(right, names.right, "[\(rank), \(reference.columns)]")
    }
    let (count, overflow) = reference.rows.multipliedReportingOverflow(by: reference.columns)
    guard !overflow, count <= FactoredFormat.largestProduct else {
      throw error(
        .wrongShape, tensor: names.left,
        "its matrix would have \(reference.rows) × \(reference.columns) numbers, more than the "
          + "\(FactoredFormat.largestProduct) allowed")
    }
    let parts = [
      try matrix(TensorReference(name: names.left, rows: reference.rows, columns: rank)),
      try matrix(TensorReference(name: names.right, rows: rank, columns: reference.columns)),
    ]
    guard parts[0].type == parts[1].type else {
      throw error(.unsupported, tensor: names.right, "its type is \(right.type) but the other factor's \(left.type)")
    }
    let factors = LowRankFactors(left: parts[0], right: parts[1])
    guard let base = names.base else { return factors }
    return factors.added(to: try self.base(base, of: reference))
  }

  /// What the factors of some experts are added to.
  private func base(_ name: String, of reference: TensorReference) throws(CheckpointError) -> StoredMatrix {
    guard places[name] != nil else {
      throw CheckpointError(
        .missingTensor, file: path, tensor: name,
        "the checkpoint has only what is added to it, as for \(reference.tensor)")
    }
    return try storedRows(of: TensorReference(name: name, rows: reference.rows, columns: reference.columns))
  }

  /// The matrices that are stored as factors, by the names of their tensors.
  var factoredMatrices: [TensorReference] {
    guard isFactored else { return [] }
    return tensorNames.compactMap { name in
      guard let tensor = FactoredFormat.tensor(ofLeft: name), places[tensor] == nil,
        let right = FactoredFormat.names(of: tensor).first(where: { $0.left == name }).flatMap({ places[$0.right] }),
        let left = places[name], left.shape.count == 2, right.shape.count == 2
      else { return nil }
      return TensorReference(name: tensor, rows: left.shape[0], columns: right.shape[1])
    }
  }
}
