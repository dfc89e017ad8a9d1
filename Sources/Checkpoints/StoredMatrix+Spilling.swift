package import Tensors

extension StoredMatrix {
  /// The same bytes on disk instead of in memory, in a file without a name; of a matrix made of factors, theirs.
  package func spilled(to folder: String) throws(CheckpointError) -> StoredMatrix {
    if let factors { return StoredMatrix(try factors.spilled(to: folder)) }
    let file = try region.withBytes { bytes throws(CheckpointError) in try MappedFile(spilling: bytes, to: folder) }
    return StoredMatrix(type: type, rows: rows, columns: columns, region: file.region(0..<file.byteCount))
  }
}

extension LowRankFactors {
  /// The same bytes on disk instead of in memory, in files without a name; a base stays where it is.
  package func spilled(to folder: String) throws(CheckpointError) -> LowRankFactors {
    LowRankFactors(left: try left.spilled(to: folder), right: try right.spilled(to: folder), base: base)
  }
}
