extension GGUFFile {
  package init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    try file.refuseGitLFSPointer()
    let contents = try file.withBytes { bytes throws(CheckpointError) in
      var parser = GGUFParser(file: file, bytes: bytes)
      return try parser.parse()
    }
    self.file = file
    version = contents.version
    metadata = contents.metadata
    tensors = contents.tensors
    alignment = contents.alignment
    headerByteCount = contents.headerByteCount
    places = Dictionary(uniqueKeysWithValues: zip(metadata.map(\.key), metadata.indices))
  }
}
