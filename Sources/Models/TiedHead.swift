internal import Checkpoints
internal import Tensors

extension Model {
  /// Whether a folder whose config.json ties the output matrix to the embedding stores an output matrix that differs.
  ///
  /// transformers 5 leaves the two apart then (modeling_utils.py, `tie_weights`): the flag is stale, as it is after a
  /// fine-tune that trained the output matrix alone. An equal one is a redundant copy, and the flag holds.
  static func hasUntiedHead(
    _ checkpoint: Checkpoint, _ configuration: TransformerConfiguration
  ) throws(CheckpointError) -> Bool {
    let names = TextModelNames(contains: checkpoint.contains)
    guard checkpoint.gguf == nil, configuration.tiesEmbeddings, checkpoint.contains(names.head),
      checkpoint.contains(names.embedding)
    else { return false }
    let (rows, columns) = (configuration.vocabularySize, configuration.hiddenSize)
    let matrices = try [names.head, names.embedding].map { name throws(CheckpointError) in
      try checkpoint.matrix(TensorReference(name: name, rows: rows, columns: columns))
    }
    return !matrices[0].holdsSameNumbers(as: matrices[1])
  }
}

extension StoredMatrix {
  /// Whether every number is that of the other matrix, of the same shape, whatever the two are stored in.
  fileprivate func holdsSameNumbers(as other: StoredMatrix) -> Bool {
    // Few enough rows that a difference at the beginning costs little to find.
    for block in Parallelism.blocks(of: rows, size: max(1, (1 << 20) / max(1, columns))) {
      // A number that is not finite is reported when the matrix is used.
      guard let own = try? decoded(rows: block), let its = try? other.decoded(rows: block),
        (0..<block.count).allSatisfy({ own.row($0) == its.row($0) })
      else { return false }
      release(rows: block)
      other.release(rows: block)
    }
    return true
  }
}
